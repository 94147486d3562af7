--- The server's clients in this Neovim.
local M = {}

-- In Neovim 0.10, what is a method of a client takes no client.
local has_methods = vim.fn.has('nvim-0.11') == 1

--- The clients, of a buffer where one is given.
---@param buf integer?
---@return vim.lsp.Client[]
function M.all(buf)
  return vim.lsp.get_clients({ name = 'coder_lsp', bufnr = buf })
end

--- Calls a method of a client.
---@param client vim.lsp.Client
---@param method 'notify'|'request'|'request_sync'
---@return any
function M.call(client, method, ...)
  if has_methods then
    return client[method](client, ...)
  end
  return client[method](...)
end

return M
