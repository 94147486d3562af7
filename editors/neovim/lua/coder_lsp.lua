--- What your own mappings and statusline can call; `:help coder_lsp` tells of each.
local clients = require('coder_lsp.client')
local ghost = require('coder_lsp.ghost')

local M = {}

--- Takes the ghost text. This and the other functions that return whether there was ghost text are
--- to be called from an `expr` mapping in insert mode.
---
--- `vim.lsp.inline_completion.get()` alone inserts the suggestion where it was asked for: when you
--- have typed some of it since, that part comes out twice, and when you have typed something else,
--- the suggestion lands in front of it. Here the former is completed, and the latter left alone.
---@return boolean # Whether there was ghost text.
function M.accept()
  return ghost.accept()
end

--- Takes the ghost text up to the end of its next word.
---@return boolean # Whether there was ghost text.
function M.accept_word()
  return ghost.accept_part([[^\_s*\%(\k\+\|\%(\k\@!\S\)\+\)]])
end

--- Takes the ghost text up to the end of its line, or of the next one where it begins with a new line.
---@return boolean # Whether there was ghost text.
function M.accept_line()
  return ghost.accept_part([[^\n*[^\n]*]])
end

--- Shows the next suggestion, where there are several.
function M.cycle()
  vim.lsp.inline_completion.select()
end

--- Hides the ghost text, until the next key.
---@return boolean # Whether there was ghost text.
function M.dismiss()
  return ghost.dismiss()
end

--- Asks for a suggestion at the cursor, also where they only come on demand.
function M.suggest()
  ghost.suggest()
end

--- How things stand in the current window, for a statusline: '' where the server does not serve its
--- buffer.
---@return string
function M.status()
  local status = require('coder_lsp.status').of(vim.api.nvim_get_current_buf())
  if not status then
    return ''
  elseif status.kind == 'loading' and status.percent then
    return ('coder %d%%%%'):format(status.percent) -- twice: statuslines want % doubled
  end
  return status.kind == 'ready' and 'coder' or 'coder ' .. status.kind
end

--- Asks the server about the requests for the current buffer, or for any where it serves another.
---@param command string
---@param count integer? # How many of the latest ones; 1 where not given.
---@param show fun(answer: any)
local function ask(command, count, show)
  local here = clients.all(0)[1]
  local client = here or clients.all()[1]
  if not client then
    vim.notify('coder-lsp is not running', vim.log.levels.WARN)
    return
  end
  local document = here and vim.uri_from_bufnr(0) or vim.NIL
  local params = { command = command, arguments = { document, count or 1 } }
  clients.call(client, 'request', 'workspace/executeCommand', params, function(err, answer)
    if err then
      vim.notify(err.message, vim.log.levels.ERROR)
    else
      show(answer)
    end
  end)
end

--- Shows, in a window that the next movement closes, why there was a suggestion for this file, or
--- none, and what it took.
---@param count integer? # So many of the latest requests, a line each; without, the last in full.
function M.why(count)
  ask('coder-lsp.why', count, function(words)
    vim.lsp.util.open_floating_preview(vim.split(words, '\n'), '', { focus_id = 'coder_lsp.why' })
  end)
end

--- Opens a buffer with the last request for this file: why, and the exact prompt.
function M.receipt()
  ask('coder-lsp.receipt', 1, function(receipts)
    if not receipts[1] then
      return M.why()
    end
    vim.cmd.new()
    vim.bo.buftype, vim.bo.bufhidden, vim.bo.swapfile = 'nofile', 'wipe', false
    vim.api.nvim_buf_set_lines(0, 0, -1, true, vim.split(receipts[1].text, '\n'))
    vim.bo.modifiable = false
  end)
end

return M
