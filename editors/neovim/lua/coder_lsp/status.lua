--- What the server says of itself, in `coder-lsp/status` notifications.
local clients = require('coder_lsp.client')

local M = {}

---@class coder_lsp.Status
---@field kind 'loading'|'ready'|'off'|'failed'
---@field message string
---@field percent integer? # While loading, where it is known.
---@field uri string? # The document in front, where it is off there.

---@type table<integer, coder_lsp.Status> # The last one of each client.
local last = {}

---@type boolean # Whether loading is shown in the message area and the default statusline.
local shown = false

---@param status coder_lsp.Status
local function show(status)
  local states = { loading = 'running', failed = 'failed' }
  shown = status.kind == 'loading'
  local message = status.message ~= '' and status.message or status.kind
  vim.api.nvim_echo({ { message } }, false, {
    id = 'coder_lsp',
    kind = 'progress',
    source = 'coder_lsp',
    title = 'coder-lsp',
    status = states[status.kind] or 'success',
    percent = status.percent,
  })
end

--- Handles the notification.
---@param status coder_lsp.Status
---@param ctx lsp.HandlerContext
function M.on_status(_, status, ctx)
  last[ctx.client_id] = status
  if shown then
    show(status)
  elseif status.kind == 'loading' then
    vim.defer_fn(function() -- what takes less is not worth showing
      local now = last[ctx.client_id]
      if now and now.kind == 'loading' and not shown then
        show(now)
      end
    end, 1000)
  end
  vim.cmd.redrawstatus()
end

--- Forgets a client that has ended, and ends what is shown of its loading.
---@param client_id integer
function M.on_exit(client_id)
  local status = last[client_id]
  last[client_id] = nil
  if shown and status and status.kind == 'loading' then
    show({ kind = 'failed', message = 'the server has ended' })
  end
end

--- How things stand for a buffer: nil where the server does not serve it, or has said nothing.
---@param buf integer?
---@return coder_lsp.Status?
function M.of(buf)
  local client = clients.all(buf or 0)[1]
  local status = client and last[client.id]
  if status and status.uri and status.uri ~= vim.uri_from_bufnr(buf or 0) then
    return { kind = 'ready', message = '' } -- off is another one
  end
  return status
end

--- Tells the server that a buffer came to the front, if it serves it.
---@param buf integer
function M.focus(buf)
  local document = { uri = vim.uri_from_bufnr(buf) }
  for _, client in ipairs(clients.all(buf)) do
    clients.call(client, 'notify', 'textDocument/didFocus', { textDocument = document })
  end
end

return M
