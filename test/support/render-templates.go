// Renders templates with Go's own text/template, set up as Ollama sets it up: JSON from stdin, texts to stdout.
package main

import (
	"encoding/json"
	"os"
	"strings"
	"text/template"
)

type message struct{ Role, Content, Thinking string }

type task struct {
	Template string
	Values   struct {
		System            string
		Messages          []*message
		Think, IsThinkSet bool
	}
}

func main() {
	var tasks []task
	if err := json.NewDecoder(os.Stdin).Decode(&tasks); err != nil {
		panic(err)
	}
	texts := []string{}
	for _, t := range tasks {
		parsed := template.Must(template.New("").Option("missingkey=zero").Parse(t.Template))
		var text strings.Builder
		v := t.Values
		values := map[string]any{"System": v.System, "Messages": v.Messages, "Think": v.Think, "IsThinkSet": v.IsThinkSet, "Response": ""}
		if err := parsed.Execute(&text, values); err != nil {
			panic(err)
		}
		texts = append(texts, text.String())
	}
	if err := json.NewEncoder(os.Stdout).Encode(texts); err != nil {
		panic(err)
	}
}
