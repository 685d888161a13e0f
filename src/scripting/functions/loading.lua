-- The world that a library finds while it is loaded: `redis` with the little that makes sense then, and nothing else.
-- Its functions run later in the world of scripts; one metatable leads to either.
--
-- Arguments: the globals of scripts, `redis.register_function`, and `close` of prelude.lua. Results: the environment of
-- libraries, the metatable whose `__index` leads on from it, and the globals to be found while loading.

local globals, register, close = ...

local function nonexistent(_, name)
  if type(name) ~= "string" and type(name) ~= "number" then
    error("Second argument to luaProtectedTableError must be a string or number", 2)
  end
  error("Script attempted to access nonexistent global variable '" .. name .. "'", 2)
end

local redis = { register_function = register }
for name, value in pairs(globals.redis) do
  if name == "log" or name:find("^LOG_") or name:find("^REDIS_VERSION") then redis[name] = value end
end
setmetatable(redis, { __index = nonexistent })

local loading = setmetatable({ redis = redis, server = redis }, { __index = nonexistent })
close(loading)

local leads_to = { __index = globals }
return close(setmetatable({}, leads_to)), leads_to, loading
