package edges

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	testName = regexp.MustCompile(`\b(Test[A-Z]\w+)(\*?)`)
	codeSpan = regexp.MustCompile("`([^`\n]+)`")
	linkTo   = regexp.MustCompile(`\]\(([^)#]+)(?:#[^)]*)?\)`)
	aPath    = regexp.MustCompile(`^(?:cmd|device|sip|audio|board|scripts)(?:/[\w.-]+)+$`)
)

// claims collects the tests and the paths that a page names: paths as links, in code spans and bare words of
// its tables.
func claims(page string) (tests, paths []string) {
	for _, m := range testName.FindAllStringSubmatch(page, -1) {
		tests = append(tests, m[1]+m[2])
	}
	for _, m := range linkTo.FindAllStringSubmatch(page, -1) {
		if !strings.Contains(m[1], "://") {
			paths = append(paths, m[1])
		}
	}
	for _, m := range codeSpan.FindAllStringSubmatch(page, -1) {
		if first := strings.TrimPrefix(strings.Fields(m[1])[0], "./"); aPath.MatchString(first) {
			paths = append(paths, first)
		}
	}
	for line := range strings.Lines(page) {
		if !strings.HasPrefix(line, "|") {
			continue
		}
		for word := range strings.FieldsFuncSeq(line, betweenWords) {
			if word = strings.Trim(word, "."); aPath.MatchString(word) {
				paths = append(paths, word)
			}
		}
	}
	return tests, paths
}

func betweenWords(r rune) bool { return strings.ContainsRune(" ,;:()[]|`\n", r) }

// declaredTests are the names of all tests of the module.
func declaredTests(t *testing.T, root string) (names []string) {
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range declared.FindAllSubmatch(text, -1) {
			names = append(names, string(m[1]))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func known(names []string, claim string) bool {
	prefix, many := strings.CutSuffix(claim, "*")
	return slices.ContainsFunc(names, func(name string) bool {
		return name == claim || many && strings.HasPrefix(name, prefix)
	})
}

// TestPagesNameWhatIsThere: each test and each path that a page for users names exists.
func TestPagesNameWhatIsThere(t *testing.T) {
	const root = "../../.."
	names := declaredTests(t, root)
	for _, page := range []string{"README.md", "board/README.md"} {
		text, err := os.ReadFile(filepath.Join(root, page))
		if err != nil {
			t.Fatal(err)
		}
		tests, paths := claims(string(text))
		if len(tests)+len(paths) < 5 {
			t.Errorf("%s names %d tests and %d paths", page, len(tests), len(paths))
		}
		for _, name := range tests {
			if !known(names, name) {
				t.Errorf("%s names %s, which is no test", page, name)
			}
		}
		for _, path := range paths {
			_, err := os.Stat(filepath.Join(root, path))
			_, beside := os.Stat(filepath.Join(root, filepath.Dir(page), path))
			if err != nil && beside != nil {
				t.Errorf("%s names %s, which is not there", page, path)
			}
		}
	}
}

func TestClaims(t *testing.T) {
	tests, paths := claims("see [it](board/doc.go#top), [not](https://x.invalid/a), `scripts/bench sound`,\n" +
		"`./cmd/portero`, `go`\n" +
		"| words | sip/ua TestCall*, TestBye; device/app (a/b) |\nthis and/or that, sip/no in prose\n")
	if want := []string{"TestCall*", "TestBye"}; !slices.Equal(tests, want) {
		t.Errorf("tests %q, want %q", tests, want)
	}
	want := []string{"board/doc.go", "scripts/bench", "cmd/portero", "sip/ua", "device/app"}
	if !slices.Equal(paths, want) {
		t.Errorf("paths %q, want %q", paths, want)
	}
	if known([]string{"TestCalls"}, "TestCall") || !known([]string{"TestCalls"}, "TestCall*") {
		t.Error("a star stands for more, its absence for nothing")
	}
}
