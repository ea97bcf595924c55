// Package lines is the loop that all readers are: a JSON document on each line of standard input, answered by one on a line of
// standard output. An error ends the program: a question that cannot be answered is a failure of the test that asked.
package lines

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

// The longest line: an object at the limit of etcd, with room.
const longest = 4 << 20

// Lines are what is asked.
type Lines struct {
	in *bufio.Scanner
}

// Main is the whole of a reader's main function.
func Main(name string, run func(*Lines) error) {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, longest)
	if err := run(&Lines{in}); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

// Next reads one line, which is not answered. After the last one it returns io.EOF.
func (lines *Lines) Next(into any) error {
	if !lines.in.Scan() {
		if err := lines.in.Err(); err != nil {
			return err
		}
		return io.EOF
	}
	return json.Unmarshal(lines.in.Bytes(), into)
}

// Each answers every line that is left.
func Each[Asked, Answer any](lines *Lines, answer func(Asked) (Answer, error)) error {
	out := json.NewEncoder(os.Stdout)
	for {
		var asked Asked
		if err := lines.Next(&asked); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		answered, err := answer(asked)
		if err != nil {
			return err
		}
		if err := out.Encode(answered); err != nil {
			return err
		}
	}
}
