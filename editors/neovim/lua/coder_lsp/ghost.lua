--- The ghost text that Neovim shows, kept in step with what is typed.
local M = {}

-- Neovim has no public way to look at a suggestion without taking it. Where a later Neovim keeps it
-- elsewhere, there are no parts to accept, and ghost text lags behind as it does without this plugin.
local has_capabilities, capabilities = pcall(require, 'vim.lsp._capability')

---@param buf integer
---@return vim.lsp.inline_completion.Completor?
local function completor(buf)
  local inline = has_capabilities and capabilities.all.inline_completion
  return inline and inline.active[buf]
end

--- Lets suggestions come by themselves in a buffer that the server serves.
---
--- Neovim 0.12 shows them as ghost text, unless somebody has switched that on or off. In 0.11 they
--- come in the completion menu.
---@param client vim.lsp.Client
---@param buf integer
function M.enable(client, buf)
  if vim.lsp.inline_completion then
    -- What Neovim keeps the choice in: `is_enabled` is false as well where nothing was chosen.
    if vim.g._lsp_enabled_inline_completion == nil then
      vim.lsp.inline_completion.enable()
    end
    -- Neovim asks with the next key: too late for somebody who has typed before the server was there.
    vim.defer_fn(function()
      local shown = completor(vim.api.nvim_get_current_buf())
      if shown and vim.startswith(vim.api.nvim_get_mode().mode, 'i') then
        shown:automatic_request()
      end
    end, 0)
  elseif vim.lsp.completion then
    vim.lsp.completion.enable(true, client.id, buf, { autotrigger = true })
  end
end

--- Whether this Neovim lets us look at the suggestion that it shows.
function M.is_visible()
  return has_capabilities and vim.lsp.inline_completion ~= nil
end

--- What is left of a suggestion behind what was typed of it; nil where something else was typed, or
--- all of it.
---@param item vim.lsp.inline_completion.Item # An insertion, at or before the cursor.
---@return string?
local function rest(item)
  local row, col = item.range:to_extmark()
  local cursor_row, cursor_col = unpack(vim.api.nvim_win_get_cursor(0))
  cursor_row = cursor_row - 1
  if cursor_row < row or (cursor_row == row and cursor_col < col) then
    return nil
  end
  local found, typed = pcall(vim.api.nvim_buf_get_text, 0, row, col, cursor_row, cursor_col, {})
  if not found then
    return nil -- its place is gone
  end
  local text = table.concat(typed, '\n')
  local agrees = #text < #item.insert_text and vim.startswith(item.insert_text, text)
  return agrees and item.insert_text:sub(#text + 1) or nil
end

---@param item vim.lsp.inline_completion.Item
local function is_insertion(item)
  return type(item.insert_text) == 'string' and item.range ~= nil and item.range:is_empty()
end

--- Leaves of a suggestion what is to be inserted at the cursor; nil where it no longer fits.
---@param item vim.lsp.inline_completion.Item
---@return vim.lsp.inline_completion.Item?
local function fit(item)
  if not is_insertion(item) then
    return item
  end
  -- Without a range, Neovim inserts at the cursor.
  item.insert_text, item.range = rest(item), nil
  return item.insert_text and item
end

--- Takes away the suggestion in the current buffer where it does not agree with what was typed.
---
--- Neovim shows, until the next answer, whatever of it lies behind the cursor's column, and of
--- several lines those that were typed already, too.
function M.keep_up()
  local shown = completor(vim.api.nvim_get_current_buf())
  local item = shown and shown.current
  if not (item and is_insertion(item)) then
    return
  end
  local left = rest(item)
  local row, col = unpack(vim.api.nvim_win_get_cursor(0))
  if not left then
    shown:hide()
    shown.current = nil
  elseif row - 1 > item.range:to_extmark() then
    local here = { line = row - 1, character = col }
    item.insert_text = left
    item.range = vim.range.lsp(shown.bufnr, { start = here, ['end'] = here }, 'utf-8')
  end
end

--- Inserts the ghost text; whether there was any.
---@return boolean
function M.accept()
  if not vim.lsp.inline_completion then
    return false
  end
  M.keep_up()
  return vim.lsp.inline_completion.get({ on_accept = fit })
end

--- Inserts the beginning of the ghost text and leaves the rest; whether there was any.
---@param pattern string # What to insert, as a regular expression of Vim's.
---@return boolean
function M.accept_part(pattern)
  M.keep_up()
  local shown = completor(vim.api.nvim_get_current_buf())
  local item = shown and shown.current
  if not (item and is_insertion(item)) then
    return M.accept()
  end
  local left = assert(rest(item))
  local part = vim.fn.matchstr(left, pattern)
  if part == '' or part == left then
    return M.accept()
  end
  vim.schedule(function() -- a mapping with `expr` may not change text
    vim.api.nvim_paste(part, false, -1)
    M.keep_up()
    shown:show()
  end)
  return true
end

--- Hides the ghost text, until the next key; whether there was any.
---@return boolean
function M.dismiss()
  if not vim.lsp.inline_completion then
    return false
  end
  return vim.lsp.inline_completion.get({ on_accept = function() end })
end

--- Asks for a suggestion now, also where they only come on demand.
function M.suggest()
  local shown = completor(vim.api.nvim_get_current_buf())
  if shown then
    shown:request(vim.lsp.protocol.InlineCompletionTriggerKind.Invoked)
  end
end

return M
