// Builds the kustomization in the folder that each line names (a JSON string), with the library that Flux and
// Argo CD build with, and answers each with its objects as one JSON list.
package main

import (
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"readers/lines"
)

func main() {
	lines.Main("kustomize", func(asked *lines.Lines) error { return lines.Each(asked, build) })
}

func build(folder string) ([]map[string]any, error) {
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		return nil, err
	}
	objects := make([]map[string]any, 0, built.Size())
	for _, resource := range built.Resources() {
		object, err := resource.Map()
		if err != nil {
			return nil, err
		}
		objects = append(objects, object)
	}
	return objects, nil
}
