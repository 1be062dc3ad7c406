package config

import (
	"bytes"
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// document is a file as a tree, with the line of each key and the faults found so far.
type document struct {
	file   string
	tree   map[string]any
	lines  map[string]int  // "bell[0].line": 12
	bad    map[string]bool // keys that have a fault already: what follows from it is not reported
	faults Faults
}

const syntaxFaults = 20 // after so many the file is not TOML at all

// parseDocument reads src. A line "key = ..." that is not TOML is reported, replaced by an empty value, and
// the rest is read on. The tree is nil when that is of no use.
func parseDocument(file string, src []byte) *document {
	d := &document{file: file, bad: map[string]bool{}}
	lines := bytes.Split(src, []byte{'\n'})
	broken := map[int]bool{}
	for {
		src = bytes.Join(lines, []byte{'\n'})
		tree := map[string]any{}
		err := toml.Unmarshal(src, &tree)
		if err == nil {
			d.tree = tree
			break
		}
		line, twice := 0, false
		problem := strings.TrimPrefix(err.Error(), "toml: ")
		if decode := (*toml.DecodeError)(nil); errors.As(err, &decode) {
			line, _ = decode.Position()
			twice = len(decode.Key()) > 0
		}
		if line < 1 || line > len(lines) {
			d.add(Fault{Line: line, Problem: problem})
			return d
		}
		if broken[line] {
			return d // the replacement did not help: the line is inside a longer value
		}
		line = listBegins(lines, line, problem)
		text := strings.TrimRight(string(lines[line-1]), "\r")
		key, value := keyLine(visible(text))
		f := syntaxFault(lines, line, problem, value, twice)
		f.Key = key
		d.add(f)
		if len(d.faults) >= syntaxFaults || strings.HasPrefix(strings.TrimSpace(text), "[") || !strings.Contains(text, "=") {
			return d
		}
		broken[line] = true
		if twice || key == "" {
			lines[line-1] = nil
		} else {
			lines[line-1] = []byte(key + ` = ""`)
		}
	}
	d.index(src)
	for key, line := range d.lines {
		if broken[line] {
			d.bad[key] = true
		}
	}
	return d
}

func (d *document) add(f Fault) {
	f.File = d.file
	d.faults = append(d.faults, f)
}

// report adds a fault of a key, unless the key or what it is in has one already.
func (d *document) report(f Fault) {
	for key := f.Key; key != ""; key = parent(key) {
		if d.bad[key] {
			return
		}
	}
	if f.Line == 0 {
		f.Line = d.line(f.Key)
	}
	if f.Severity == Error {
		d.bad[f.Key] = true
	}
	d.add(f)
}

// line finds where key is, or would have to be: the line of the table it is missing from.
func (d *document) line(key string) int {
	for ; key != ""; key = parent(key) {
		if n, ok := d.lines[key]; ok {
			return n
		}
	}
	return 0
}

// parent of "a.b[2]" is "a.b", whose parent is "a".
func parent(key string) string { return key[:max(strings.LastIndexAny(key, ".["), 0)] }

// index fills in lines.
func (d *document) index(src []byte) {
	d.lines = map[string]int{}
	var starts []int
	for i, b := range src {
		if b == '\n' {
			starts = append(starts, i+1)
		}
	}
	lineOf := func(n *unstable.Node) int {
		return 1 + sort.Search(len(starts), func(i int) bool { return starts[i] > int(n.Raw.Offset) })
	}
	tables := map[string]int{} // arrays of tables: how many elements so far
	table := ""

	// path joins a key's parts to prefix, choosing the latest element of each array of tables but the last
	// part's.
	path := func(prefix string, n *unstable.Node) (string, int) {
		line := 0
		for it := n.Key(); it.Next(); {
			if count := tables[prefix]; count > 0 {
				prefix = fmt.Sprintf("%s[%d]", prefix, count-1)
			}
			prefix = join(prefix, string(it.Node().Data))
			line = lineOf(it.Node())
			if _, ok := d.lines[prefix]; !ok {
				d.lines[prefix] = line
			}
		}
		return prefix, line
	}

	var value func(at string, n *unstable.Node, line int)
	value = func(at string, n *unstable.Node, line int) {
		children := n.Children()
		switch n.Kind {
		case unstable.InlineTable:
			for children.Next() {
				key, line := path(at, children.Node())
				value(key, children.Node().Value(), line)
			}
		case unstable.Array:
			for i := 0; children.Next(); i++ {
				element := fmt.Sprintf("%s[%d]", at, i)
				if n := children.Node(); n.Raw.Length > 0 {
					line = lineOf(n)
				}
				d.lines[element] = line
				value(element, children.Node(), line)
			}
		}
	}

	p := unstable.Parser{}
	p.Reset(src)
	for p.NextExpression() {
		switch n := p.Expression(); n.Kind {
		case unstable.Table:
			table, _ = path("", n)
			if count := tables[table]; count > 0 {
				table = fmt.Sprintf("%s[%d]", table, count-1)
			}
		case unstable.ArrayTable:
			key, line := path("", n)
			table = fmt.Sprintf("%s[%d]", key, tables[key])
			tables[key]++
			d.lines[table] = line
		case unstable.KeyValue:
			key, line := path(table, n)
			value(key, n.Value(), line)
		}
	}
}

func join(table, key string) string {
	if table == "" {
		return key
	}
	return table + "." + key
}
