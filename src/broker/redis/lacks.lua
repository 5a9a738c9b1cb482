-- Which ids a stream has no entry for.    KEYS: the stream    ARGV: ids
return answered(function()
  local missing = {}
  for _, id in ipairs(ARGV) do
    local exact = id .. '-0'
    if #must('XRANGE', KEYS[1], exact, exact, 'COUNT', 1) == 0 then missing[#missing + 1] = id end
  end
  return missing
end)
