package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
)

var (
	durationType = reflect.TypeFor[time.Duration]()
	secretType   = reflect.TypeFor[Secret]()
	someType     = reflect.TypeFor[OneOrMore]()
)

// OneOrMore are texts that may be written as one text or as a list of several. "" is none.
type OneOrMore []string

const maxList = 1000 // keeps the comparison of all with all quick

// bind puts a table's values into the fields of v that carry their names. Each unknown key and each wrong
// type is a fault.
func (d *document) bind(at string, table map[string]any, v reflect.Value) {
	fields := tomlFields(v.Type())
	for _, key := range slices.Sorted(maps.Keys(table)) {
		i, ok := fields[key]
		if !ok {
			d.unknown(at, key, table[key], v.Type())
			continue
		}
		d.set(join(at, key), table[key], v.Field(i))
	}
}

// tomlFields maps the keys of a struct to its fields.
func tomlFields(t reflect.Type) map[string]int {
	fields := map[string]int{}
	for i := range t.NumField() {
		if tag := t.Field(i).Tag.Get("toml"); tag != "" {
			fields[tag] = i
		}
	}
	return fields
}

// unknown reports a key without a field. Its value stays out of the message: it may be a misspelt password.
func (d *document) unknown(at, key string, value any, t reflect.Type) {
	known := slices.Sorted(maps.Keys(tomlFields(t)))
	remedy := "known here: " + strings.Join(known, ", ")
	home := homes()[key]
	switch value.(type) {
	case map[string]any, []any:
		if table := homes()[key+"[]"]; table != "" {
			home = table
		}
	}
	if n := nearest(key, known); n != "" {
		remedy = fmt.Sprintf("did you mean %q?", n)
	} else if strings.HasPrefix(home, "[[") && strings.HasSuffix(home, "."+key+"]]") {
		remedy = "write " + home
	} else if home != "" {
		remedy = fmt.Sprintf("%q belongs in %s", key, home)
	}
	d.report(Fault{Key: join(at, key), Problem: "unknown key", Remedy: remedy})
}

// homes maps each key below the top to the header of the table that has it: "[audio]", "[[bell]]"; and with
// "[]" behind it the name of a table of which there can be several to its own: "user[]" to "[[server.user]]".
var homes = sync.OnceValue(func() map[string]string {
	found := map[string]string{}
	var walk func(t reflect.Type, at string)
	walk = func(t reflect.Type, at string) {
		for i := range t.NumField() {
			tag, field := t.Field(i).Tag.Get("toml"), t.Field(i).Type
			if tag == "" {
				continue
			}
			table := join(at, tag)
			header := "[" + table + "]"
			if field.Kind() == reflect.Slice {
				field, header = field.Elem(), "["+header+"]"
			}
			if field.Kind() != reflect.Struct {
				continue
			}
			if strings.HasPrefix(header, "[[") {
				found[tag+"[]"], found[table+"[]"] = header, header
			}
			for key := range tomlFields(field) {
				if _, ok := found[key]; !ok {
					found[key] = header
				}
			}
			walk(field, table)
		}
	}
	walk(reflect.TypeFor[Config](), "")
	return found
})

func (d *document) set(key string, value any, v reflect.Value) {
	wrong := func(problem, remedy string) {
		f := Fault{Key: key, Problem: problem, Remedy: remedy}
		if v.Type() != secretType {
			f.Value = shown(value)
		}
		d.report(f)
	}
	switch {
	case v.Type() == durationType:
		text, ok := value.(string)
		if !ok {
			remedy := `write "3s", "45s", "10m" or "1h30m"`
			if n, ok := value.(int64); ok && n > 0 {
				remedy = fmt.Sprintf("write %q, %q or %q", fmt.Sprint(n, "ms"), fmt.Sprint(n, "s"), fmt.Sprint(n, "m"))
			}
			wrong("a duration is text with a unit", remedy)
			return
		}
		duration, err := time.ParseDuration(text)
		if err != nil || duration < 0 {
			remedy := `write a number with a unit: "30ms", "3s", "10m" or "1h30m"`
			if meant := durationMeant(text); meant != "" {
				remedy = fmt.Sprintf("write %q", meant)
			}
			wrong("not a duration", remedy)
			return
		}
		v.SetInt(int64(duration))

	case v.Kind() == reflect.String:
		text, ok := value.(string)
		switch {
		case !ok:
			wrong("text is wanted", textRemedy(key, value))
		case strings.ContainsFunc(text, unicode.IsControl):
			wrong("a line break or another control character in the text", `remove it; a backslash is written twice: \\`)
		default:
			v.SetString(text)
			if visible(text) != text {
				f := Fault{Severity: Warning, Key: key, Problem: "an invisible character in the text, as web pages and word processors have them",
					Remedy: "delete the text and type it anew"}
				d.report(f)
			}
		}

	case v.Kind() == reflect.Bool:
		on, ok := value.(bool)
		if !ok {
			wrong("true or false is wanted", "write true or false, without quotes")
			return
		}
		v.SetBool(on)

	case v.Kind() == reflect.Int:
		n, ok := value.(int64)
		if !ok {
			wrong("a whole number is wanted", "write it without quotes, unit and decimal point")
			return
		}
		v.SetInt(n)

	case v.Kind() == reflect.Struct:
		table, ok := value.(map[string]any)
		if !ok {
			wrong("a table is wanted", fmt.Sprintf("write [%s], and its keys below", key))
			return
		}
		d.bind(key, table, v)

	case v.Kind() == reflect.Slice:
		if text, ok := value.(string); ok && v.Type() == someType {
			if text == "" {
				return
			}
			value = []any{text}
		}
		d.setList(key, value, v, wrong)

	case v.Kind() == reflect.Map:
		table, ok := value.(map[string]any)
		if !ok {
			wrong("a table is wanted", `write { "Name" = 80 }`)
			return
		}
		if len(table) == 0 {
			return
		}
		v.Set(reflect.MakeMap(v.Type()))
		for _, name := range slices.Sorted(maps.Keys(table)) {
			element := reflect.New(v.Type().Elem()).Elem()
			d.set(join(key, name), table[name], element)
			v.SetMapIndex(reflect.ValueOf(name), element)
		}

	default:
		panic("config: no way to bind " + v.Type().String())
	}
}

// textRemedy is what to write in place of a number where text is wanted.
func textRemedy(key string, value any) string {
	n, ok := value.(int64)
	switch {
	case ok && strings.HasSuffix(key, ".line") && n >= 0 && n <= 53:
		return fmt.Sprintf("write %q; \"portero pins\" lists them", fmt.Sprint("GPIO", n))
	case ok && strings.HasSuffix(key, ".listen") && n > 0 && n < 65536:
		return fmt.Sprintf("write %q", fmt.Sprint(":", n))
	}
	return "put it between double quotes"
}

// durationMeant turns what people write as a duration ("45 s", "10,5ms", "45 sec", "2 min") into one; "" where
// that is beyond doubt no longer.
func durationMeant(text string) string {
	meant := strings.ReplaceAll(strings.ReplaceAll(strings.ToLower(text), " ", ""), ",", ".")
	for _, unit := range [][2]string{{"seconds", "s"}, {"second", "s"}, {"secs", "s"}, {"sec", "s"}, {"sek", "s"}, {"minutes", "m"},
		{"minute", "m"}, {"mins", "m"}, {"min", "m"}, {"hours", "h"}, {"hour", "h"}, {"std", "h"}} {
		if number, ok := strings.CutSuffix(meant, unit[0]); ok {
			meant = number + unit[1]
			break
		}
	}
	if strings.Trim(meant, "0123456789") == "" && meant != "" {
		meant += "s"
	}
	if d, err := time.ParseDuration(meant); err != nil || d < 0 || meant == text {
		return ""
	}
	return meant
}

func (d *document) setList(key string, value any, v reflect.Value, wrong func(problem, remedy string)) {
	list, ok := value.([]any)
	if !ok {
		if v.Type().Elem().Kind() == reflect.Struct {
			wrong("there can be several of these", fmt.Sprintf("write [[%s]] with double brackets", key))
		} else {
			wrong("a list is wanted", `write ["a", "b"]`)
		}
		return
	}
	if len(list) > maxList {
		wrong(fmt.Sprintf("more than %d", maxList), "a station is not that large")
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(list), len(list)))
	for i, value := range list {
		element := v.Index(i)
		if e, ok := element.Addr().Interface().(interface{ setDefaults() }); ok {
			e.setDefaults()
		}
		d.set(fmt.Sprintf("%s[%d]", key, i), value, element)
	}
}

// shown is a value as its author wrote it, in short; "" for tables and lists.
func shown(value any) string {
	switch v := value.(type) {
	case string:
		if r := []rune(v); len(r) > 60 {
			v = string(r[:60]) + "..."
		}
		return strconv.Quote(v)
	case map[string]any, []any:
		return ""
	}
	return fmt.Sprint(value)
}
