-- Both actions move spec.suspend, which holds back the next request to Konnect and never stops a run. After the end there is nothing
-- to hold back.
local finished = false
for _, condition in ipairs((obj.status or {}).conditions or {}) do
  if condition.type == "Finished" and condition.status == "True" then
    finished = true
  end
end
local suspended = obj.spec.suspend == true

local actions = {}
actions["suspend"] = { ["disabled"] = finished or suspended }
actions["resume"] = { ["disabled"] = finished or not suspended }
return actions
