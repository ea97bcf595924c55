// Reads objects, one JSON document a line, and answers each with the verdict of kstatus, the library
// by which Flux, kpt and others tell whether an object is done. It knows no rules of its own.
package main

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"

	"readers/lines"
)

type verdict struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

func main() {
	lines.Main("kstatus", func(asked *lines.Lines) error { return lines.Each(asked, compute) })
}

func compute(object unstructured.Unstructured) (verdict, error) {
	result, err := status.Compute(&object)
	if err != nil {
		return verdict{}, err
	}
	return verdict{string(result.Status), result.Message}, nil
}
