package edges

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/types"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The vocabulary of the log. A message is a constant: one fact with its object, such as "phones file not
// written". What varies is in attributes: part says whose line it is, call holds a Call-ID, err an error,
// which comes last.
var (
	parts = []string{"sip", "server", "sound", "board", "door", "station", "config", "app", "guard", "event",
		"selftest"}

	prefixed = regexp.MustCompile(`^[[:alpha:]-]+: `)
	verb     = regexp.MustCompile(`%[-+# 0]*[[:alpha:]]`)
	acronym  = regexp.MustCompile(`^[A-Z][A-Z-]+\b`)
)

// unfit are the files whose lines cannot be judged: the table machine's step is told to a logger of its owner, under an attribute
// that the owner names.
var unfit = []string{"sip/fsm/fsm.go"}

var logMethods = []string{"Debug", "Info", "Warn", "Error", "Log", "LogAttrs", "With",
	"DebugContext", "InfoContext", "WarnContext", "ErrorContext"}

// logCall is a call that writes a line, or makes a logger (With).
type logCall struct {
	*ast.CallExpr
	method string
}

// logCallOf returns n as a call of log/slog's functions or of *slog.Logger's methods.
func (s *source) logCallOf(n ast.Node) (c logCall, ok bool) {
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return c, false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return c, false
	}
	f, ok := s.info.Uses[sel.Sel].(*types.Func)
	if !ok || f.Pkg() == nil || f.Pkg().Path() != "log/slog" {
		return c, false
	}
	if r := f.Signature().Recv(); r != nil && !strings.HasSuffix(r.Type().String(), "slog.Logger") {
		return c, false
	}
	return logCall{call, f.Name()}, slices.Contains(logMethods, f.Name())
}

// attributes are the arguments behind the message, which is nil for With.
func (c logCall) attributes() (message ast.Expr, attributes []ast.Expr) {
	skip := 0
	switch {
	case c.method == "With":
		return nil, c.Args
	case c.method == "Log" || c.method == "LogAttrs":
		skip = 2
	case strings.HasSuffix(c.method, "Context"):
		skip = 1
	}
	return c.Args[skip], c.Args[skip+1:]
}

// attr is one attribute of a line; Value is nil where it is a whole slog.Attr that was made elsewhere.
type attr struct {
	Key   string
	Value ast.Expr
}

func (s *source) text(e ast.Expr) (text string, ok bool) {
	if v := s.info.Types[e].Value; v != nil && v.Kind() == constant.String {
		return constant.StringVal(v), true
	}
	return "", false
}

// attrs reads keys and values in turn, and the constructors of slog.Attr.
func (s *source) attrs(args []ast.Expr) (out []attr, fault string) {
	for len(args) > 0 {
		call, made := args[0].(*ast.CallExpr)
		if made && s.info.TypeOf(call).String() == "log/slog.Attr" {
			key, known := s.text(call.Args[0])
			if !known || len(call.Args) < 2 {
				return out, "an attribute whose key is no constant"
			}
			out, args = append(out, attr{key, call.Args[1]}), args[1:]
			continue
		}
		key, known := s.text(args[0])
		if !known || len(args) < 2 {
			return out, "an attribute whose key is no constant"
		}
		out, args = append(out, attr{key, args[1]}), args[2:]
	}
	return out, ""
}

var errorType = types.Universe.Lookup("error").Type().Underlying().(*types.Interface)

// isError says whether e is an error, or the text of one.
func (s *source) isError(e ast.Expr) bool {
	if call, ok := e.(*ast.CallExpr); ok {
		if sel, ok := call.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Error" && len(call.Args) == 0 {
			e = sel.X
		}
	}
	t := s.info.TypeOf(e)
	return t != nil && types.Implements(t, errorType)
}

func messageFaults(text string) (faults []string) {
	switch {
	case !strings.Contains(text, " "):
		faults = append(faults, "no fact with its object")
	case prefixed.MatchString(text):
		faults = append(faults, "begins with a part, which is an attribute")
	}
	if first := text[:min(1, len(text))]; first != strings.ToLower(first) && !acronym.MatchString(text) {
		faults = append(faults, "begins with a capital")
	}
	if strings.TrimRight(text, ".!?:;, ") != text {
		faults = append(faults, "ends with punctuation")
	}
	if verb.MatchString(text) {
		faults = append(faults, "has a formatting verb")
	}
	return faults
}

func (s *source) attrFaults(attrs []attr) (faults []string) {
	for i, a := range attrs {
		switch value, known := s.text(a.Value); {
		case a.Key == "part" && (!known || !slices.Contains(parts, value)):
			faults = append(faults, fmt.Sprintf("part %q is none of %v", value, parts))
		case strings.EqualFold(strings.NewReplacer("_", "", "-", "").Replace(a.Key), "callid"):
			faults = append(faults, "a Call-ID is under the key call")
		case a.Key == "err" && i < len(attrs)-1:
			faults = append(faults, "err is not last")
		case a.Key != "err" && s.isError(a.Value):
			faults = append(faults, fmt.Sprintf("an error under the key %s, not err", a.Key))
		}
	}
	return faults
}

func hasPart(attrs []attr) bool {
	return slices.ContainsFunc(attrs, func(a attr) bool { return a.Key == "part" })
}

// faultsOf judges one call. parted says which loggers bring their part along.
func (s *source) faultsOf(c logCall, parted map[types.Object]bool) []string {
	message, rest := c.attributes()
	text, known := "", false
	if message != nil {
		if _, literal := message.(*ast.BasicLit); !literal {
			return []string{"the message is no literal"}
		}
		text, known = s.text(message)
	}
	if text == "event" && c.Ellipsis.IsValid() { // an event has its own shape (package event)
		return nil
	}
	attrs, fault := s.attrs(rest)
	faults := s.attrFaults(attrs)
	if fault != "" {
		faults = append(faults, fault)
	}
	if known {
		faults = append(faults, messageFaults(text)...)
		if !hasPart(attrs) && !s.isParted(c.Fun.(*ast.SelectorExpr).X, parted) {
			faults = append(faults, "neither the line nor its logger has a part")
		}
	}
	return faults
}

// isParted says whether an expression is a logger with a part.
func (s *source) isParted(e ast.Expr, parted map[types.Object]bool) bool {
	switch e := e.(type) {
	case *ast.Ident, *ast.SelectorExpr:
		return parted[s.object(e)]
	case *ast.CallExpr:
		if c, ok := s.logCallOf(e); ok && c.method == "With" {
			attrs, _ := s.attrs(c.Args)
			return hasPart(attrs) || s.isParted(e.Fun.(*ast.SelectorExpr).X, parted)
		}
		if fn := s.object(e.Fun); fn != nil && fn.Name() == "New" && fn.Pkg().Path() == "log/slog" {
			discards := s.object(e.Args[0])
			return discards != nil && discards.Name() == "DiscardHandler"
		}
		return parted[s.object(e.Fun)]
	}
	return false
}

// object is what a name, alone or behind a dot, stands for.
func (s *source) object(e ast.Expr) types.Object {
	switch e := e.(type) {
	case *ast.Ident:
		if o := s.info.Defs[e]; o != nil {
			return o
		}
		return s.info.Uses[e]
	case *ast.SelectorExpr:
		return s.info.Uses[e.Sel]
	}
	return nil
}

// loggers collects what is ever put into each variable, field and parameter that holds a logger, and what
// each function returns that makes one.
func (s *source) loggers() map[types.Object][]ast.Expr {
	from := map[types.Object][]ast.Expr{}
	put := func(o types.Object, e ast.Expr) {
		if o != nil && s.isLogger(e) {
			from[o] = append(from[o], e)
		}
	}
	visit := func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.KeyValueExpr:
			put(s.object(n.Key), n.Value)
		case *ast.AssignStmt:
			for i := range n.Lhs {
				if len(n.Lhs) == len(n.Rhs) {
					put(s.object(n.Lhs[i]), n.Rhs[i])
				}
			}
		case *ast.CallExpr:
			if fn, ok := s.object(n.Fun).(*types.Func); ok {
				for i := range min(len(n.Args), fn.Signature().Params().Len()) {
					put(fn.Signature().Params().At(i), n.Args[i])
				}
			}
		case *ast.FuncDecl:
			ast.Inspect(n, func(in ast.Node) bool {
				if r, ok := in.(*ast.ReturnStmt); ok && len(r.Results) == 1 {
					put(s.info.Defs[n.Name], r.Results[0])
				}
				return true
			})
		}
		return true
	}
	for _, f := range s.files {
		ast.Inspect(f, visit)
	}
	return from
}

func (s *source) isLogger(e ast.Expr) bool {
	t := s.info.TypeOf(e)
	return t != nil && t.String() == "*log/slog.Logger"
}

// partedLoggers finds the variables, fields, parameters and functions that hold or return loggers with a
// part and no others.
func (s *source) partedLoggers() map[types.Object]bool {
	from := s.loggers()
	parted := map[types.Object]bool{}
	for grown := true; grown; {
		grown = false
		for o, sources := range from {
			bare := slices.ContainsFunc(sources, func(e ast.Expr) bool { return !s.isParted(e, parted) })
			if !parted[o] && !bare {
				parted[o], grown = true, true
			}
		}
	}
	return parted
}

// logFaults returns the faults of each file, with their lines.
func (s *source) logFaults() (faults map[string][]string, calls int) {
	faults = map[string][]string{}
	parted := s.partedLoggers()
	for _, f := range s.files {
		ast.Inspect(f, func(n ast.Node) bool {
			c, ok := s.logCallOf(n)
			if !ok {
				return true
			}
			calls++
			for _, fault := range s.faultsOf(c, parted) {
				at := s.at(n)
				line := fmt.Sprintf("%s:%d: %s", at.Filename, at.Line, fault)
				faults[at.Filename] = append(faults[at.Filename], line)
			}
			return true
		})
	}
	return faults, calls
}

func TestLogVocabulary(t *testing.T) {
	faults, calls := loadModule(t).logFaults()
	if calls < 50 {
		t.Fatalf("%d log calls in the whole module", calls)
	}
	for file, list := range faults {
		if !slices.Contains(unfit, file) {
			t.Error(strings.Join(list, "\n"))
		}
	}
	for _, file := range unfit {
		if len(faults[file]) == 0 {
			t.Errorf("%s keeps the vocabulary, or is no more: take it off the list", file)
		}
	}
}

func TestLogFaultsAreCaught(t *testing.T) {
	exported := importer.Default()
	for line, want := range map[string]string{
		`log.Info("relay released", "part", "board", "relay", "front")`:       "",
		`log.With("part", "sip").Warn("ACK not sent", "call", "x", "err", e)`: "",
		`s.log.Error("clip not played", "err", e)`:                            "",
		`slog.Info("relay released")`:                                         "has a part",
		`s.raw.Info("relay released")`:                                        "has a part",
		`log.Info("relay", "part", "board")`:                                  "no fact",
		`log.Info("board: relay released", "part", "board")`:                  "begins with a part",
		`log.Info("Relay released", "part", "board")`:                         "capital",
		`log.Info("relay released.", "part", "board")`:                        "punctuation",
		`log.Info("relay %q released", "part", "board")`:                      "verb",
		`log.Info("relay "+name+" released", "part", "board")`:                "no literal",
		`log.Info("relay released", "part", "kitchen")`:                       "none of",
		`log.Info("call ended", "part", "sip", "call_id", "x")`:               "under the key call",
		`log.Info("call ended", "part", "sip", "why", e.Error())`:             "not err",
		`log.Info("call ended", "part", "sip", "err", e, "to", "x")`:          "not last",
		`log.Info("call ended", "part", "sip", name, "x")`:                    "no constant",
		`log.LogAttrs(nil, 0, "call ended", slog.Any("why", e))`:              "not err",
	} {
		s := newSource()
		text := `package p
import "log/slog"
type held struct{ log, raw *slog.Logger }
func f(log *slog.Logger, s *held, name string, e error) {
	s.log, s.raw = log.With("part", "sound"), log
	` + line + `
}`
		f, err := parser.ParseFile(s.fset, "p.go", text, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.check("p", []*ast.File{f}, exported); err != nil {
			t.Fatal(err)
		}
		faults, _ := s.logFaults()
		got := strings.Join(faults["p.go"], "\n")
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}
