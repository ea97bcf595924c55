// Reads a line with the healthCheckExprs of a Flux Kustomization, then objects, all as JSON, one document
// a line, and answers each object with what Flux makes of it: the expressions are CEL, the object's
// top-level fields their variables, asked in the order inProgress, failed, current; one that cannot be
// evaluated is no verdict, and fails the program.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/ext"
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

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "flux:", err)
		os.Exit(1)
	}
}

func run() error {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 4<<20)
	if !lines.Scan() {
		return errors.New("no expressions on the first line")
	}
	var exprs expressions
	if err := json.Unmarshal(lines.Bytes(), &exprs); err != nil {
		return err
	}
	rules, err := compile(exprs)
	if err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var object map[string]any
		if err := json.Unmarshal(lines.Bytes(), &object); err != nil {
			return err
		}
		status, err := evaluate(rules, object)
		if err != nil {
			return err
		}
		if err := out.Encode(map[string]string{"status": status}); err != nil {
			return err
		}
	}
	return lines.Err()
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
