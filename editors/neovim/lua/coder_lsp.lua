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

return M
