-- What Argo CD says of an AuditLogReplayJob. The conditions tell; nothing else is looked at.
local conditions = {}
local status = obj.status or {}
for _, condition in ipairs(status.conditions or {}) do
  if condition.status == "True" then
    conditions[condition.type] = condition
  end
  if condition.type == "Ready" then
    conditions.Ready = condition
  end
end

local function says(health)
  local ready = conditions.Ready or { reason = "Pending", message = "no state is known" }
  return { status = health, message = ready.reason .. ": " .. ready.message }
end

-- What stands there was said of an earlier version.
if status.observedGeneration ~= obj.metadata.generation then
  return { status = "Progressing", message = "The operator has not seen this version of the object yet" }
end
if conditions.Complete ~= nil then
  return says("Healthy")
end
if conditions.Failed ~= nil or conditions.Stalled ~= nil then
  return says("Degraded")
end
if conditions.Suspended ~= nil then
  return says("Suspended")
end
return says("Progressing")
