--- Fill-in-the-middle completion from a model on this machine: `vim.lsp.enable('coder_lsp')`.
---
--- No `filetypes`: the server is asked about every file, and decides itself which it completes.
---@type vim.lsp.Config
return {
  cmd = { 'coder-lsp' },
  root_markers = { { '.git', '.hg', '.jj' } },
  -- The server begins with a key, ahead of the request that Neovim sends 200 ms later. (Neovim takes
  -- the shortest of all servers with the same encoding of positions; 150 is what it does by itself.)
  flags = { debounce_text_changes = 20 },
  -- An older Neovim cannot show the status: it gets the standard's progress.
  capabilities = { experimental = { coderLspStatus = vim.fn.has('nvim-0.12') == 1 } },
  handlers = {
    ['coder-lsp/status'] = function(...)
      require('coder_lsp.status').on_status(...)
    end,
  },
  on_exit = vim.schedule_wrap(function(_, _, client_id)
    require('coder_lsp.status').on_exit(client_id)
  end),
}
