package edges

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// uses says which folders may use a method that a relay moves by, or is found by. Tests of theirs may, too; others may not.
var uses = map[string][]string{
	"Energize": {"board", "device/access"},
	"Release":  {"board", "device/access"},
	"Relay":    {"board", "device", "device/selftest"}, // and gives what it finds to access alone: see relayGivers
}

// relayGivers are the calls whose arguments a relay may be found for.
var relayGivers = []string{"NewDoors"}

// misuses walks a file for selectors of uses where they do not belong. Relay is a field's name, too, in other rooms: there a call alone
// is one.
func misuses(fset *token.FileSet, dir string, file *ast.File) (found []string) {
	given, called := map[ast.Node]bool{}, map[ast.Node]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			called[call.Fun] = true
			if f, ok := call.Fun.(*ast.SelectorExpr); ok && slices.Contains(relayGivers, f.Sel.Name) {
				for _, arg := range call.Args {
					given[arg] = true
				}
			}
		}
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if id, ok := s.X.(*ast.Ident); ok && id.Name == "board" { // the package's own name: a type, board.Relay
			return true
		}
		allowed, named := uses[s.Sel.Name]
		switch {
		case !named:
		case s.Sel.Name == "Relay" && !called[s] && !slices.Contains(allowed, dir):
		case !slices.Contains(allowed, dir):
			found = append(found, fset.Position(s.Pos()).String()+": "+s.Sel.Name+" outside of "+strings.Join(allowed, ", "))
		case s.Sel.Name == "Relay" && dir != "board" && !given[s]:
			found = append(found, fset.Position(s.Pos()).String()+": a relay is given to none but access.NewDoors")
		}
		return true
	})
	return found
}

// TestRelaysAreAccessAlone: nobody but board and device/access moves a relay, and nobody else is given one.
func TestRelaysAreAccessAlone(t *testing.T) {
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(path))
		seen[dir] = true
		for _, m := range misuses(fset, filepath.ToSlash(dir), file) {
			t.Error(m)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, allowed := range uses {
		for _, dir := range allowed {
			if !seen[dir] {
				t.Errorf("there is no %s any more", dir)
			}
		}
	}
}

func TestMisusesAreCaught(t *testing.T) {
	for _, c := range []struct {
		dir, body string
		want      int
	}{
		{"device/access", "func f() { d.relay.Energize(t) }", 0},
		{"device", "func f() { access.NewDoors(c, s.parts.Board.Relay, nil) }", 0},
		{"device", "type x struct{ r board.Relay }", 0},
		{"device", `func f() { s.parts.Board.Relay("door:front").Energize(t) }`, 2},
		{"device", "func f() { r := b.Relay }", 1},
		{"device/config", "func f() bool { return lamp.Relay }", 0},
		{"device/api", `func f() { b.Relay("door:front").Release() }`, 2},
		{"cmd/portero", "func f() { r.Release() }", 1},
	} {
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, "x.go", "package x\n"+c.body, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := misuses(fset, c.dir, file); len(got) != c.want {
			t.Errorf("%s in %s: %q, want %d", c.body, c.dir, got, c.want)
		}
	}
}
