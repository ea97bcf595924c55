// Runs Lua scripts as Argo CD does, in the same interpreter: one request a line, as JSON, with the script,
// the object and what is to be read back ("health", "actions" or "object"). Opens no libraries but those
// that Argo CD opens for such scripts: no files, no processes.
package main

import (
	lua "github.com/yuin/gopher-lua"

	"readers/lines"
)

type request struct {
	Script string         `json:"script"`
	Object map[string]any `json:"object"`
	// Parameters of an action, by name.
	Parameters map[string]any `json:"parameters"`
}

func main() {
	lines.Main("argocd", func(asked *lines.Lines) error { return lines.Each(asked, execute) })
}

func execute(asked request) (any, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for _, library := range []struct {
		name string
		open lua.LGFunction
	}{
		{lua.LoadLibName, lua.OpenPackage},
		{lua.BaseLibName, lua.OpenBase},
		{lua.TabLibName, lua.OpenTable},
		{lua.StringLibName, lua.OpenString},
		{lua.MathLibName, lua.OpenMath},
	} {
		call := lua.P{Fn: state.NewFunction(library.open), NRet: 0, Protect: true}
		if err := state.CallByParam(call, lua.LString(library.name)); err != nil {
			return nil, err
		}
	}
	state.SetGlobal("obj", toLua(state, asked.Object))
	state.SetGlobal("actionParams", toLua(state, asked.Parameters))
	if err := state.DoString(asked.Script); err != nil {
		return nil, err
	}
	return fromLua(state.Get(-1)), nil
}

func toLua(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case bool:
		return lua.LBool(value)
	case float64:
		return lua.LNumber(value)
	case string:
		return lua.LString(value)
	case []any:
		table := state.CreateTable(len(value), 0)
		for _, item := range value {
			table.Append(toLua(state, item))
		}
		return table
	case map[string]any:
		table := state.CreateTable(0, len(value))
		for key, item := range value {
			table.RawSetString(key, toLua(state, item))
		}
		return table
	default:
		return lua.LNil
	}
}

// An empty table is an object: what Argo CD does too.
func fromLua(value lua.LValue) any {
	switch value := value.(type) {
	case lua.LBool:
		return bool(value)
	case lua.LNumber:
		return float64(value)
	case lua.LString:
		return string(value)
	case *lua.LTable:
		if length := value.MaxN(); length > 0 {
			list := make([]any, 0, length)
			for i := 1; i <= length; i++ {
				list = append(list, fromLua(value.RawGetInt(i)))
			}
			return list
		}
		object := map[string]any{}
		value.ForEach(func(key, item lua.LValue) { object[key.String()] = fromLua(item) })
		return object
	default:
		return nil
	}
}
