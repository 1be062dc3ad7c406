package edges

import (
	"errors"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// source is the module's code without its tests, parsed and type-checked; objects are the same in all its
// packages.
type source struct {
	fset  *token.FileSet
	root  string
	files []*ast.File
	info  *types.Info
}

func newSource() *source {
	return &source{fset: token.NewFileSet(), info: &types.Info{Types: map[ast.Expr]types.TypeAndValue{},
		Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{},
		Selections: map[*ast.SelectorExpr]*types.Selection{}}}
}

// at is where a node stands, from the module's root.
func (s *source) at(n ast.Node) token.Position {
	p := s.fset.Position(n.Pos())
	if rel, err := filepath.Rel(s.root, p.Filename); err == nil {
		p.Filename = rel
	}
	return p
}

// check type-checks files as one package.
func (s *source) check(path string, files []*ast.File, i types.Importer) (*types.Package, error) {
	s.files = append(s.files, files...)
	return (&types.Config{Importer: i}).Check(path, s.fset, files, s.info)
}

// importerFunc is a types.Importer.
type importerFunc func(path string) (*types.Package, error)

func (f importerFunc) Import(path string) (*types.Package, error) { return f(path) }

// loadModule type-checks the module's packages, those below before those above; what others export is the
// compiler's.
func loadModule(t *testing.T) *source {
	t.Helper()
	s := newSource()
	exports, checked := map[string]string{}, map[string]*types.Package{}
	open := func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) }
	compiled := importer.ForCompiler(s.fset, "gc", open)
	find := importerFunc(func(path string) (*types.Package, error) {
		if p := checked[path]; p != nil {
			return p, nil
		}
		return compiled.Import(path)
	})
	for d := goList(t, "-deps", "-export", "-tags", "interop,hangtest",
		"-json=ImportPath,Dir,GoFiles,Export,Module"); ; {
		var p struct {
			ImportPath, Dir, Export string
			GoFiles                 []string
			Module                  *struct{ Path, Dir string }
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return s
		} else if err != nil {
			t.Fatal(err)
		}
		exports[p.ImportPath] = p.Export
		if p.Module == nil || p.Module.Path != module {
			continue
		}
		s.root = p.Module.Dir
		var files []*ast.File
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(s.fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, f)
		}
		var err error
		if checked[p.ImportPath], err = s.check(p.ImportPath, files, find); err != nil {
			t.Fatal(err)
		}
	}
}
