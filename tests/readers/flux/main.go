// Reads a line with the healthCheckExprs of a Flux Kustomization, then objects, all as JSON, one document
// a line, and answers each object with what Flux makes of it: the expressions are CEL, the object's
// top-level fields their variables, asked in the order inProgress, failed, current; one that cannot be
// evaluated is no verdict, and fails the program.
package main

import (
	"fmt"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/ext"

	"readers/lines"
)

type expressions struct {
	InProgress string `json:"inProgress"`
	Failed     string `json:"failed"`
	Current    string `json:"current"`
}

type rule struct {
	status  string
	program cel.Program
}

type verdict struct {
	Status string `json:"status"`
}

func main() {
	lines.Main("flux", run)
}

func run(asked *lines.Lines) error {
	var exprs expressions
	if err := asked.Next(&exprs); err != nil {
		return fmt.Errorf("no expressions on the first line: %w", err)
	}
	rules, err := compile(exprs)
	if err != nil {
		return err
	}
	return lines.Each(asked, func(object map[string]any) (verdict, error) {
		status, err := evaluate(rules, object)
		return verdict{status}, err
	})
}

func compile(exprs expressions) ([]rule, error) {
	env, err := cel.NewEnv(
		cel.Variable("apiVersion", cel.StringType), cel.Variable("kind", cel.StringType),
		cel.Variable("metadata", cel.DynType), cel.Variable("spec", cel.DynType), cel.Variable("status", cel.DynType),
		ext.Strings(),
	)
	if err != nil {
		return nil, err
	}
	var rules []rule
	for _, each := range []struct{ status, expression string }{
		{"InProgress", exprs.InProgress}, {"Failed", exprs.Failed}, {"Current", exprs.Current},
	} {
		if each.expression == "" {
			continue
		}
		ast, issues := env.Compile(each.expression)
		if issues != nil && issues.Err() != nil {
			return nil, fmt.Errorf("%s: %w", each.status, issues.Err())
		}
		program, err := env.Program(ast)
		if err != nil {
			return nil, err
		}
		rules = append(rules, rule{each.status, program})
	}
	return rules, nil
}

func evaluate(rules []rule, object map[string]any) (string, error) {
	for _, rule := range rules {
		value, _, err := rule.program.Eval(object)
		if err != nil {
			return "", fmt.Errorf("%s: %w", rule.status, err)
		}
		if value.Value() == true {
			return rule.status, nil
		}
	}
	return "InProgress", nil
}
