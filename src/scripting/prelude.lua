-- Makes Lua's standard globals, with `redis` and the libraries among them, into what a script may see: functions that
-- reach outside are gone, errors of functions written in Rust look like any other, and no table that scripts share can
-- be changed.
--
-- Lua 5.1 knows no read-only tables. In the place of each stands an empty one whose metatable looks things up in the
-- original and refuses to set any; the few functions that go around metatables are replaced by ones that know.
--
-- Arguments: the globals, `plain` of errors.rs, and whether functions that Lua 5.2 has no more are to stay. Results: the
-- closed globals, Lua's own `xpcall`, which runs scripts, `bound`, since it passes no arguments, and `close`.

local globals, plain, has_deprecated = ...

local type, error, setmetatable, getmetatable = type, error, setmetatable, getmetatable
local rawget, rawset, next, pairs, pcall, xpcall = rawget, rawset, next, pairs, pcall, xpcall
local load, loadstring, byte, tonumber = load, loadstring, string.byte, tonumber
local unpack, setfenv, getfenv, newproxy = unpack, setfenv, getfenv, newproxy
local resume = coroutine.resume

local READ_ONLY = "Attempt to modify a readonly table"

-- What stands behind each closed table.
local originals = setmetatable({}, { __mode = "k" })
local closed = {}

local function refuse()
  error(READ_ONLY, 2)
end

local function close(original)
  if originals[original] then return original end
  local substitute = closed[original]
  if substitute then return substitute end
  substitute = {}
  closed[original] = substitute
  originals[substitute] = original
  for key, value in next, original do
    if type(value) == "table" then rawset(original, key, close(value)) end
  end
  local metatable = { __index = original, __newindex = refuse }
  -- What a script gets to see of the metatable leads nowhere, and is closed itself.
  local shown = {}
  originals[shown] = { __newindex = refuse }
  setmetatable(shown, { __index = originals[shown], __newindex = refuse, __metatable = false })
  metatable.__metatable = shown
  return setmetatable(substitute, metatable)
end

-- Errors.

local function seen(err)
  if type(err) == "userdata" then return (plain(err)) end
  return err
end

-- `pcall` gives the text of an error that is a reply.
local function outcome(ok, ...)
  if ok then return true, ... end
  local err = seen((...))
  if type(err) == "table" then
    local text = err.err
    if type(text) == "string" or type(text) == "number" then err = text end
  end
  return false, err
end

function globals.pcall(...)
  return outcome(pcall(...))
end

-- The end of a script that is killed is raised from a hook, where no other hook could end a handler.
function globals.xpcall(f, handler)
  return xpcall(f, function(err)
    if type(err) == "userdata" then
      local meant, is_final = plain(err)
      if is_final then return err end
      err = meant
    end
    return handler(err)
  end)
end

local function resumed(ok, ...)
  if ok then return true, ... end
  return false, seen((...))
end

function globals.coroutine.resume(...)
  return resumed(resume(...))
end

-- What goes around metatables.

local function expect_table(t, name)
  if type(t) ~= "table" then
    error("bad argument #1 to '" .. name .. "' (table expected, got " .. type(t) .. ")", 3)
  end
end

function globals.rawget(t, key)
  expect_table(t, "rawget")
  return rawget(originals[t] or t, key)
end

function globals.rawset(t, key, value)
  expect_table(t, "rawset")
  if originals[t] then error(READ_ONLY, 0) end
  return rawset(t, key, value)
end

function globals.setmetatable(t, metatable)
  expect_table(t, "setmetatable")
  if originals[t] then error(READ_ONLY, 0) end
  return setmetatable(t, metatable)
end

local function next_of(t, key)
  expect_table(t, "next")
  return next(originals[t] or t, key)
end
globals.next = next_of

function globals.pairs(t)
  expect_table(t, "pairs")
  if originals[t] then return next_of, t, nil end
  return pairs(t)
end

-- Compiled code could do anything. In front of a blank it is text, and bad text.

function globals.loadstring(chunk, name)
  if type(chunk) == "string" and byte(chunk) == 27 then
    return loadstring(" " .. chunk, name or chunk)
  end
  return loadstring(chunk, name or chunk)
end

function globals.load(pieces, name)
  if type(pieces) ~= "function" then return load(pieces, name) end
  local is_first = true
  return load(function()
    local piece = pieces()
    if is_first and piece then
      is_first = false
      if type(piece) == "string" and byte(piece) == 27 then return " " .. piece end
    end
    return piece
  end, name or "=(load)")
end

-- Lua 5.1 counts in an `int` here, and does not see when that is too small.
function globals.unpack(t, first, last)
  local from = tonumber(first) or 1
  local to = tonumber(last) or type(t) == "table" and #t or from
  if to - from >= 8000 then error("too many results to unpack", 2) end
  if first == nil and last == nil then return unpack(t) end
  return unpack(t, first, last)
end

for _, name in next, { "debug", "dofile", "getfenv", "loadfile", "module", "newproxy", "io", "package", "print",
  "require", "setfenv" } do
  globals[name] = nil
end

globals.os = { clock = os.clock }

-- The globals.

setmetatable(globals, {
  __index = function(_, name)
    if type(name) ~= "string" and type(name) ~= "number" then
      error("Second argument to luaProtectedTableError must be a string or number", 2)
    end
    error("Script attempted to access nonexistent global variable '" .. name .. "'", 2)
  end,
})
globals._G = nil
local environment = close(globals)
globals._G = environment

local strings = getmetatable("")
strings.__metatable = close({ __index = globals.string })

if has_deprecated then
  globals.newproxy = newproxy

  function globals.getfenv(f)
    if f == nil then f = 1 end
    if type(f) == "number" and f > 0 then f = f + 1 end
    local found = getfenv(f)
    if found == globals then return environment end
    return found
  end

  -- Not of the thread, which is everybody's.
  function globals.setfenv(f, t)
    if f == 0 then error(READ_ONLY, 2) end
    if type(f) == "number" then f = f + 1 end
    return setfenv(f, t)
  end
end

-- A function without arguments that calls one with these.
local function bound(f, keys, argv)
  return function() return f(keys, argv) end
end

return environment, xpcall, bound, close
