package config

import (
	"bytes"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync"
	"unicode"
)

// syntaxFault says what is wrong with a line that is not TOML; problem is the parser's word on it, value what
// stands behind the "=", and twice says that its key or table is there already.
func syntaxFault(lines [][]byte, line int, problem, value string, twice bool) Fault {
	text := strings.TrimSpace(string(lines[line-1]))
	f := Fault{Line: line, Problem: problem}
	if mayHoldSecret(text) && !twice {
		f.Problem = "this is not TOML" // the parser's words may hold a piece of the value
	}
	say := func(problem, remedy string) Fault {
		f.Problem, f.Remedy = problem, remedy
		return f
	}
	header := headerName(text)
	first, sign := firstWord(text)
	word, _, _ := strings.Cut(strings.ToLower(value), "#")
	word = strings.TrimRight(word, " \t;,")
	key, _, _ := strings.Cut(text, "=")
	key = strings.TrimSpace(key)
	switch {
	case header != "" && (twice || strings.Contains(problem, "already")):
		return say(problem, headerTwice(lines, line, header))
	case twice:
		f.Remedy = "keep one of the two; for a further bell, door or code begin a new [[bell]], [[door]] or [[code]]"
	case strings.ContainsAny(text, "“”„‘’«»"):
		return say("the quotes are a word processor's", `use straight quotes: "`)
	case visible(string(lines[line-1])) != string(lines[line-1]):
		return say("an invisible character, as web pages and word processors have them in place of a space",
			"delete the line and type it anew")
	case boolKeys()[key] && (word == "true" || word == "false"):
		return say("true and false are written in lower case", fmt.Sprintf("write %s = %s", key, word))
	case slices.Contains([]string{"yes", "no", "on", "off"}, word) && boolKeys()[key]:
		return say("yes and no are written true and false", fmt.Sprintf("write %s = %v", key, word == "yes" || word == "on"))
	case strings.Contains(problem, "escape"):
		f.Remedy = `write a backslash twice: \\, or put the text between single quotes: '`
	case strings.HasPrefix(text, "//") || strings.HasPrefix(text, ";"):
		return say("not a comment", "begin a comment with #")
	case strings.Contains(problem, "expected ',' or ']'"):
		f.Remedy = `put a comma between two values and ] behind the last one: ["a", "b"]`
	case header != "":
		f.Remedy = "a table is [name], one of several is [[name]]"
	case strings.Contains(problem, "expected newline") && moreBehind(value):
		return say("there is more behind the value", "remove it, or begin a comment with #")
	case bareText(value):
		if f.Problem == problem {
			f.Problem = "text without quotes"
		}
		f.Remedy = "put text, numbers with units and addresses between double quotes"
	case strings.Count(value, `"`)%2 == 1:
		f.Remedy = "close the double quotes on the same line"
		if strings.Count(value, `"`) > 2 {
			f.Remedy += `; write one inside the text as \"`
		}
	case strings.HasPrefix(value, "="):
		return say("two =", "write one =")
	case sign == ':' && homes()[first+"[]"] != "":
		return say("not a table", "write "+homes()[first+"[]"])
	case first != "":
		return say("no = behind the key", fmt.Sprintf(`write %s = "text"`, first))
	case strings.HasSuffix(text, "="):
		return say("no value behind the =", fmt.Sprintf(`write %s = "text", or remove the line: the default holds then`, key))
	default:
		f.Remedy = `write key = "text", key = 5, key = true or key = ["a", "b"]`
	}
	return f
}

// keyLine reads a line "key = value", "" from every other.
func keyLine(text string) (key, value string) {
	key, value, ok := strings.Cut(text, "=")
	if key = strings.TrimSpace(key); !ok || !madeOf(key, alphanum+"_-") {
		return "", ""
	}
	return key, strings.TrimSpace(value)
}

// firstWord is the name at the start of a line and the sign behind it, where that is none that belongs there.
func firstWord(text string) (word string, sign byte) {
	text = strings.TrimLeft(text, blanks)
	rest := strings.TrimLeft(text, alphanum+"_-")
	word = text[:len(text)-len(rest)]
	if rest = strings.TrimLeft(rest, blanks); word == "" || rest == "" || strings.IndexByte(`:"'`, rest[0]) < 0 {
		return "", 0
	}
	return word, rest[0]
}

// headerName is the name in a table's header, also in one that is not closed; "" of another line.
func headerName(text string) string {
	name, ok := strings.CutPrefix(strings.TrimLeft(text, blanks), "[")
	if !ok {
		return ""
	}
	name = strings.TrimLeft(strings.TrimLeft(name, "["), blanks)
	return name[:len(name)-len(strings.TrimLeft(name, alphanum+"_.-"))]
}

// moreBehind reports whether a semicolon, a comma or a foreign comment stands behind a whole value.
func moreBehind(value string) bool {
	if rest, ok := strings.CutPrefix(value, `"`); ok {
		_, rest, ok = strings.Cut(rest, `"`)
		return ok && foreign(rest)
	}
	if i := strings.LastIndexByte(value, ']'); i >= 0 {
		return foreign(value[i+1:])
	}
	for _, word := range []string{"true", "false"} {
		if rest, ok := strings.CutPrefix(value, word); ok {
			return foreign(rest)
		}
	}
	rest := strings.TrimLeft(value, numerals+".-_")
	return rest != value && foreign(rest)
}

func foreign(rest string) bool {
	rest = strings.TrimLeft(rest, blanks)
	return rest != "" && (rest[0] == ';' || rest[0] == ',' || strings.HasPrefix(rest, "//"))
}

// bareText reports whether a value begins as text, a number with its unit, one that is dialled, or an address.
func bareText(value string) bool {
	after := strings.TrimLeft(value, numerals)
	number := value[:len(value)-len(after)]
	switch {
	case len(number) > 1 && number[0] == '0', after != "" && strings.IndexByte(letters, after[0]) >= 0:
		return true
	case number == "":
		return after != "" && strings.IndexByte("*+/.:", after[0]) >= 0
	case after == "" || after[0] != '.' && after[0] != '-':
		return false
	}
	next := strings.IndexAny(after[1:], ".-")
	return next > 0 && madeOf(after[1:1+next], numerals)
}

// mayHoldSecret reports whether a line may hold a code or a password.
func mayHoldSecret(text string) bool {
	text = strings.ToLower(text)
	return strings.Contains(text, "code") || strings.Contains(text, "pass")
}

// headerTwice is the remedy for a table that is there already.
func headerTwice(lines [][]byte, line int, name string) string {
	if _, several := homes()[name+"[]"]; several {
		return fmt.Sprintf("there can be several of these: write [[%s]] with double brackets, each time", name)
	}
	for i, l := range lines[:line-1] {
		if headerName(string(l)) == name {
			return fmt.Sprintf("put its keys under the [%s] in line %d", name, i+1)
		}
	}
	return fmt.Sprintf("write [%s] once, with all its keys below", name)
}

// listBegins finds the line of a list that is not closed: the parser tells of the line behind it.
func listBegins(lines [][]byte, line int, problem string) int {
	if !strings.Contains(problem, "expected ',' or ']'") {
		return line
	}
	for i := line - 1; i >= 0; i-- {
		if key, _ := keyLine(string(lines[i])); key != "" {
			_, value, _ := bytes.Cut(lines[i], []byte("="))
			if bytes.HasPrefix(bytes.TrimSpace(value), []byte("[")) {
				return i + 1
			}
		}
		if i < line-1 && headerName(string(lines[i])) != "" {
			break
		}
	}
	return line
}

// visible writes a space for each character that looks like one, or like nothing.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		if invisible(r) {
			return ' '
		}
		return r
	}, text)
}

func invisible(r rune) bool {
	return r > unicode.MaxASCII && (unicode.IsSpace(r) || unicode.Is(unicode.Cf, r))
}

// boolKeys are the keys that are true or false, wherever they stand.
var boolKeys = sync.OnceValue(func() map[string]bool {
	found := map[string]bool{}
	var walk func(t reflect.Type)
	walk = func(t reflect.Type) {
		for _, i := range tomlFields(t) {
			f := t.Field(i).Type
			if f.Kind() == reflect.Slice {
				f = f.Elem()
			}
			if f.Kind() == reflect.Struct {
				walk(f)
			}
			found[t.Field(i).Tag.Get("toml")] = f.Kind() == reflect.Bool
		}
	}
	walk(reflect.TypeFor[Config]())
	return found
})

// inBrackets is the remedy for an IPv6 address without its brackets, or with a zone; "" where text is none.
// behind is what may stand behind the brackets: nothing, a port.
func inBrackets(text string, behind ...string) string {
	bare := strings.Trim(text, "[]")
	addr, err := netip.ParseAddr(bare)
	if err != nil || !addr.Is6() {
		return ""
	}
	if addr.Zone() != "" {
		return "write an address without %" + addr.Zone() + ", or a name: a SIP address has no room for a zone"
	}
	for _, port := range []string{":5060", ":5061", ":5062"} { // more likely a port than the end of an address
		if front, ok := strings.CutSuffix(bare, port); ok && len(behind) > 0 && behind[len(behind)-1] != "" {
			if _, err := netip.ParseAddr(front); err == nil {
				bare, behind = front, []string{port}
			}
		}
	}
	var forms []string
	for _, b := range behind {
		forms = append(forms, fmt.Sprintf("%q", "["+bare+"]"+b))
	}
	return "put an IPv6 address in brackets: " + strings.Join(forms, " or ")
}
