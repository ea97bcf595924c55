// Builds the kustomization in the folder that each line names (a JSON string), with the library that Flux and
// Argo CD build with, and answers each with its objects as one JSON list.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "kustomize:", err)
		os.Exit(1)
	}
}

func run() error {
	out := json.NewEncoder(os.Stdout)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var folder string
		if err := json.Unmarshal(lines.Bytes(), &folder); err != nil {
			return err
		}
		built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
		if err != nil {
			return err
		}
		objects := make([]map[string]any, 0, built.Size())
		for _, resource := range built.Resources() {
			object, err := resource.Map()
			if err != nil {
				return err
			}
			objects = append(objects, object)
		}
		if err := out.Encode(objects); err != nil {
			return err
		}
	}
	return lines.Err()
}
