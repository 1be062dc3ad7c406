// Package edges holds the imports of the module against the arrows of its design.
package edges

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "portero"

// A rule forbids packages under From, except those under Except, to depend on packages under To: directly or,
// for packages of this module, through others. Paths name a package and everything below it.
type rule struct {
	From, To string
	Except   []string
	Why      string
}

var rules = []rule{
	{module + "/sip", module + "/audio", nil, "signalling carries bodies as bytes"},
	{module + "/audio", module + "/sip", nil, "sound knows nothing of calls"},
	{module + "/sip", module + "/board", nil, "signalling knows no lines"},
	{module + "/board", module + "/sip", nil, "lines know no signalling"},
	{module + "/audio", module + "/board", nil, "sound knows no lines"},
	{module + "/audio/rtp", module, nil, "RTP knows neither sound nor anything else of the house"},
	{module + "/board", module + "/audio", nil, "lines know no sound"},
	{module, module + "/device", []string{module + "/device", module + "/cmd/portero", module + "/cmd/lab"},
		"device is the top"},
	{module + "/sip", module + "/sip/sdp", []string{module + "/sip/sdp"}, "SDP meets signalling in device"},
	{module, "periph.io", []string{module + "/board"}, "board alone knows periph"},
	{module, module + "/cmd", []string{module + "/cmd"}, "commands are not libraries"},
	{module, module + "/scripts", []string{module + "/scripts"}, "helpers of scripts stay there"},
}

type pkg struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

func under(path string, roots ...string) bool {
	return slices.ContainsFunc(roots, func(root string) bool {
		return path == root ||
			strings.HasPrefix(path, root+"/")
	})
}

// violations walks from each package through the module's own packages. Tests count with their direct imports
// only: an exported fake may be used across, the code under it may not.
func violations(pkgs map[string]pkg, rules []rule) []string {
	var out []string
	for _, r := range rules {
		for path := range pkgs {
			if !under(path, r.From) || under(path, r.Except...) {
				continue
			}
			seen := map[string]bool{path: true}
			for queue := [][]string{{path}}; len(queue) > 0; queue = queue[1:] {
				chain := queue[0]
				last := chain[len(chain)-1]
				next := pkgs[last].Imports
				if len(chain) == 1 {
					next = slices.Concat(next, pkgs[last].TestImports, pkgs[last].XTestImports)
				}
				for _, imported := range next {
					if seen[imported] {
						continue
					}
					seen[imported] = true
					to := append(slices.Clone(chain), imported)
					switch {
					case under(imported, r.To):
						out = append(out, strings.Join(to, " -> ")+": "+r.Why)
					case under(imported, module) && !under(imported, r.Except...):
						queue = append(queue, to) // what an excepted package imports is its own affair
					}
				}
			}
		}
	}
	slices.Sort(out)
	return out
}

// goList is what go list says of the module's packages, a JSON object for each.
func goList(t *testing.T, flags ...string) *json.Decoder {
	t.Helper()
	cmd := exec.Command("go", append(append([]string{"list"}, flags...), module+"/...")...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	raw, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		t.Fatalf("go list: %v\n%s", err, exit.Stderr)
	} else if err != nil {
		t.Fatal(err)
	}
	return json.NewDecoder(bytes.NewReader(raw))
}

func list(t *testing.T, tags string) map[string]pkg {
	t.Helper()
	pkgs := map[string]pkg{}
	for d := goList(t, "-json=ImportPath,Imports,TestImports,XTestImports", "-tags", tags); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs[p.ImportPath] = p
	}
}

func TestImports(t *testing.T) {
	for _, tags := range []string{"", "interop"} {
		pkgs := list(t, tags)
		if _, ok := pkgs[module+"/sip"]; !ok {
			t.Fatalf("go list found no %s/sip among %d packages", module, len(pkgs))
		}
		for _, v := range violations(pkgs, rules) {
			t.Error(v)
		}
	}
}

func TestEachRuleCatches(t *testing.T) {
	for _, r := range rules {
		from := r.From + "/x"
		direct := map[string]pkg{from: {ImportPath: from, Imports: []string{r.To + "/y"}}}
		if len(violations(direct, []rule{r})) != 1 {
			t.Errorf("%s -> %s is not caught", from, r.To)
		}
		test := map[string]pkg{from: {ImportPath: from, XTestImports: []string{r.To}}}
		if len(violations(test, []rule{r})) != 1 {
			t.Errorf("test of %s -> %s is not caught", from, r.To)
		}
		through := map[string]pkg{from: {ImportPath: from, Imports: []string{module + "/between"}},
			module + "/between": {ImportPath: module + "/between", Imports: []string{r.To}}}
		// Where the whole module is forbidden, the first step is the fault.
		if !under(module+"/between", r.To) && !slices.ContainsFunc(violations(through, []rule{r}),
			func(v string) bool { return strings.HasPrefix(v, from+" -> "+module+"/between -> ") }) {
			t.Errorf("%s -> between -> %s is not caught", from, r.To)
		}
		for _, e := range r.Except {
			allowed := map[string]pkg{e: {ImportPath: e, Imports: []string{r.To}}}
			if v := violations(allowed, []rule{r}); len(v) != 0 {
				t.Errorf("allowed, but caught: %q", v)
			}
		}
	}
	if v := violations(map[string]pkg{module + "/siphon": {ImportPath: module + "/siphon",
		Imports: []string{module + "/audio"}}}, rules); len(v) != 0 {
		t.Errorf("siphon is not below sip: %q", v)
	}
}

// floors says which rooms of the module each room of the sip wing may import. The floors are those of RFC
// 3261 section 5; ua and registrar are two equal cores on one stack.
var floors = map[string][]string{
	"/sip":             nil,
	"/sip/fsm":         nil,
	"/sip/fsm/fsmtest": {"/sip/fsm"},
	"/sip/digest":      nil,
	"/sip/sdp":         nil,
	"/sip/transport":   {"/sip"},
	"/sip/transaction": {"/sip", "/sip/transport", "/sip/fsm"},
	"/sip/ua":          {"/sip", "/sip/transport", "/sip/transaction", "/sip/fsm", "/sip/digest"},
	"/sip/registrar":   {"/sip", "/sip/transport", "/sip/transaction", "/sip/fsm", "/sip/digest"},
	"/sip/siptest":     {"/sip", "/sip/transport"},
}

// climbs lists the imports within the sip wing that do not lead down, and the rooms that have no floor. What
// tests import does not count: those of one core talk to the other.
func climbs(pkgs map[string]pkg) []string {
	var out []string
	for path, p := range pkgs {
		if !under(path, module+"/sip") {
			continue
		}
		below, known := floors[strings.TrimPrefix(path, module)]
		if !known {
			out = append(out, path+" has no floor")
		}
		for _, imported := range p.Imports {
			if under(imported, module) && !slices.Contains(below, strings.TrimPrefix(imported, module)) {
				out = append(out, path+" -> "+imported)
			}
		}
	}
	slices.Sort(out)
	return out
}

func TestFloors(t *testing.T) {
	pkgs := list(t, "")
	for _, c := range climbs(pkgs) {
		t.Errorf("%s: a floor of the sip wing imports those below it only", c)
	}
	for room := range floors {
		if _, ok := pkgs[module+room]; !ok {
			t.Errorf("there is no %s%s", module, room)
		}
	}
}

func TestClimbsAreCaught(t *testing.T) {
	for from, to := range map[string]string{"/sip": "/sip/transport", "/sip/transport": "/sip/transaction",
		"/sip/transaction": "/sip/ua",
		"/sip/ua":          "/sip/registrar", "/sip/registrar": "/sip/ua", "/sip/fsm": "/sip"} {
		p := map[string]pkg{module + from: {ImportPath: module + from, Imports: []string{"fmt", module + to}}}
		if got := climbs(p); len(got) != 1 {
			t.Errorf("%s -> %s: %q", from, to, got)
		}
	}
	if got := climbs(map[string]pkg{module + "/sip/attic": {}}); len(got) != 1 {
		t.Errorf("a room without a floor: %q", got)
	}
	if got := climbs(map[string]pkg{module + "/sip/ua": {Imports: []string{module +
		"/sip"}}}); len(got) != 0 {
		t.Errorf("allowed, but caught: %q", got)
	}
}
