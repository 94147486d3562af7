local M = {}

--- Leaves of a suggestion what is still to be inserted at the cursor; nil where it no longer fits.
---@param item vim.lsp.inline_completion.Item
---@return vim.lsp.inline_completion.Item?
local function fit(item)
  if type(item.insert_text) ~= 'string' or not (item.range and item.range:is_empty()) then
    return item
  end
  local row, col = item.range:to_extmark()
  local cursor_row, cursor_col = unpack(vim.api.nvim_win_get_cursor(0))
  cursor_row = cursor_row - 1
  if cursor_row < row or (cursor_row == row and cursor_col < col) then
    return nil
  end
  local typed = vim.api.nvim_buf_get_text(0, row, col, cursor_row, cursor_col, {})
  local text = table.concat(typed, '\n')
  if not vim.startswith(item.insert_text, text) then
    return nil
  end
  -- Without a range, Neovim inserts at the cursor.
  item.insert_text, item.range = item.insert_text:sub(#text + 1), nil
  return item
end

--- Takes the ghost text. To be called from an `expr` mapping in insert mode.
---
--- `vim.lsp.inline_completion.get()` alone inserts the suggestion where it was asked for: when you
--- have typed some of it since, that part comes out twice, and when you have typed something else,
--- the suggestion lands in front of it. Here the former is completed, and the latter left alone.
---@return boolean # Whether there was ghost text.
function M.accept()
  return vim.lsp.inline_completion.get({ on_accept = fit })
end

--- Asks the server about the requests for the current buffer, or for any where it serves another.
---@param command string
---@param count integer? # How many of the latest ones; 1 where not given.
---@param show fun(answer: any)
local function ask(command, count, show)
  local name = 'coder_lsp'
  local here = vim.lsp.get_clients({ name = name, bufnr = 0 })[1]
  local client = here or vim.lsp.get_clients({ name = name })[1]
  if not client then
    vim.notify('coder-lsp is not running', vim.log.levels.WARN)
    return
  end
  local document = here and vim.uri_from_bufnr(0) or vim.NIL
  local params = { command = command, arguments = { document, count or 1 } }
  client:request('workspace/executeCommand', params, function(err, answer)
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
