vim.api.nvim_create_user_command('CoderWhy', function(command)
  require('coder_lsp').why(tonumber(command.args))
end, { nargs = '?', desc = 'Say why there was a suggestion for this file, or none' })

vim.api.nvim_create_user_command('CoderReceipt', function()
  require('coder_lsp').receipt()
end, { desc = 'Show the exact prompt of the last request for this file' })
