local group = vim.api.nvim_create_augroup('coder_lsp', {})

vim.api.nvim_create_autocmd('LspAttach', {
  group = group,
  callback = function(event)
    local client = vim.lsp.get_client_by_id(event.data.client_id)
    if client and client.name == 'coder_lsp' then
      require('coder_lsp.ghost').enable(client, event.buf)
      if event.buf == vim.api.nvim_get_current_buf() then
        require('coder_lsp.status').focus(event.buf)
      end
    end
  end,
})

vim.api.nvim_create_autocmd('BufEnter', {
  group = group,
  callback = function(event)
    require('coder_lsp.status').focus(event.buf)
  end,
})

-- Defined before a server is attached, so that it runs before Neovim's own, which shows the rest.
vim.api.nvim_create_autocmd({ 'CursorMovedI', 'TextChangedP' }, {
  group = group,
  callback = function()
    require('coder_lsp.ghost').keep_up()
  end,
})

-- An answer may come to a text that was changed meanwhile. What it shows is looked at after Neovim.
vim.api.nvim_create_autocmd('LspRequest', {
  group = group,
  callback = function(event)
    local request = event.data.request
    if request.method == 'textDocument/inlineCompletion' and request.type == 'complete' then
      vim.schedule(require('coder_lsp.ghost').keep_up)
    end
  end,
})

vim.api.nvim_create_user_command('CoderWhy', function(command)
  require('coder_lsp').why(tonumber(command.args))
end, { nargs = '?', desc = 'Say why there was a suggestion for this file, or none' })

vim.api.nvim_create_user_command('CoderReceipt', function()
  require('coder_lsp').receipt()
end, { desc = 'Show the exact prompt of the last request for this file' })
