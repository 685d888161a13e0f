-- What stands before the snippets: run(f) notes what f returns, or the error it raises. Tables are shown in the order in
-- which they are walked, which the libraries share with Redis's.
local function show(v, depth)
  local t = type(v)
  if t == 'number' then return string.format('%.17g', v) end
  if t == 'string' then return string.format('%q', v) end
  if t == 'table' then
    if depth > 50 then return '<deep>' end
    local parts = {}
    for k, e in pairs(v) do parts[#parts + 1] = '[' .. show(k, depth + 1) .. ']=' .. show(e, depth + 1) end
    return '{' .. table.concat(parts, ',') .. '}#' .. #v
  end
  if v == cjson.null then return 'NULL' end
  if t == 'function' or t == 'userdata' then return t end
  return tostring(v)
end
local function all(...)
  local parts = {}
  for i = 1, select('#', ...) do parts[i] = show((select(i, ...)), 0) end
  return table.concat(parts, ' ')
end
local out = {}
local function pack(...) return {n = select('#', ...), ...} end
local function run(f)
  local r
  local ok, err = pcall(function() r = pack(f()) end)
  out[#out + 1] = (ok and all(unpack(r, 1, r.n)) or show(err, 0))
end
