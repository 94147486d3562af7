--- `:checkhealth coder_lsp`
local clients = require('coder_lsp.client')

local M = {}

local health = vim.health

local function check_neovim()
  health.start('coder-lsp: Neovim')
  local version = tostring(vim.version())
  if not vim.lsp.inline_completion then
    local menu = vim.lsp.completion and 'the completion menu' or 'CTRL-X CTRL-O'
    health.warn(version .. ' has no ghost text: suggestions come in ' .. menu, {
      'Update to Neovim 0.12 or newer',
    })
  elseif not require('coder_lsp.ghost').is_visible() then
    health.warn(version .. ' keeps its suggestions where this plugin does not find them', {
      'Update the plugin: until then, ghost text cannot be accepted in parts',
    })
  elseif not vim.lsp.inline_completion.is_enabled() then
    health.warn(version .. ', ghost text is switched off', {
      ':lua vim.lsp.inline_completion.enable()',
    })
  else
    health.ok(version .. ', ghost text is on')
  end
end

---@return string[]
local function command()
  local config = vim.lsp.config and vim.lsp.config.coder_lsp
  return config and type(config.cmd) == 'table' and config.cmd or { 'coder-lsp' }
end

local function check_server()
  health.start('coder-lsp: the language server')
  local program = vim.fn.exepath(command()[1])
  if program == '' then
    health.error(command()[1] .. ' is not on the PATH', {
      'Install it: pipx install /path/to/coder-lsp',
      "Or name it: vim.lsp.config('coder_lsp', { cmd = { '/path/to/coder-lsp' } })",
    })
    return
  end
  local words = vim.list_extend(vim.deepcopy(command()), { '--version' })
  local asked = vim.system(words, { text = true }):wait(10000)
  if asked.code == 0 then
    health.ok(('%s, version %s'):format(program, vim.trim(asked.stdout)))
  else
    health.error(program .. ' does not run: ' .. vim.trim(asked.stderr or ''))
  end
end

---@param client vim.lsp.Client
local function check_client(client)
  for buf in pairs(client.attached_buffers) do
    local name = vim.fn.fnamemodify(vim.api.nvim_buf_get_name(buf), ':~:.')
    local status = require('coder_lsp.status').of(buf) or { kind = 'ready', message = '' }
    local said = ('%s: %s'):format(name, status.kind)
    if status.message ~= '' then
      said = said .. ', ' .. status.message
    end
    local report = { off = health.warn, failed = health.error }
    local tell = report[status.kind] or health.ok
    tell(said)
  end
  local params = { command = 'coder-lsp.log' }
  local answer = clients.call(client, 'request_sync', 'workspace/executeCommand', params, 2000)
  if answer and answer.result then
    health.info("the server's log: " .. answer.result)
  end
end

local function check_clients()
  health.start('coder-lsp: the files that are open')
  local running = clients.all()
  if #running == 0 then
    health.warn('the language server is not running', {
      "Put vim.lsp.enable('coder_lsp') into your init.lua, and open a file",
    })
  end
  vim.iter(running):each(check_client)
  health.info("Neovim's log: " .. require('vim.lsp.log').get_filename())
end

function M.check()
  check_neovim()
  check_server()
  check_clients()
end

return M
