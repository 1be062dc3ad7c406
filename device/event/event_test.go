package event

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

// full sets every field of v to a non-zero value.
func full(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("x" + v.Type().Name())
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint64:
		v.SetUint(8)
	case reflect.Float64:
		v.SetFloat(1.5)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		full(v.Elem())
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Date(2026, 3, 29, 2, 30, 0, 0, time.UTC)))
			return
		}
		for i := range v.NumField() {
			full(v.Field(i))
		}
	}
}

func TestEveryFieldIsInTheLog(t *testing.T) {
	var e Event
	full(reflect.ValueOf(&e).Elem())
	var buf bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&buf, nil))
	logger.LogAttrs(t.Context(), e.Level(), "event", e.LogAttrs()...)

	var logged, marshalled map[string]any
	if err := json.Unmarshal(buf.Bytes(), &logged); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &marshalled); err != nil {
		t.Fatal(err)
	}
	if logged["msg"] != "event" {
		t.Errorf("msg = %v", logged["msg"])
	}
	delete(marshalled, "at")
	for key, want := range marshalled {
		if !reflect.DeepEqual(logged[key], want) {
			t.Errorf("log has %s = %v, JSON has %v", key, logged[key], want)
		}
	}
	var back Event
	if err := json.Unmarshal(data, &back); err != nil || !reflect.DeepEqual(back, e) {
		t.Errorf("JSON round trip: %+v, %v", back, err)
	}
}

func TestEmptyFieldsAreLeftOut(t *testing.T) {
	e := Event{At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Kind: DoorClosed, Door: "front", OnMS: 3000}
	data, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"at":"2026-01-02T03:04:05Z","kind":"door.closed","door":"front","on_ms":3000}`; string(data) != want {
		t.Errorf("got  %s\nwant %s", data, want)
	}
	if n := len(e.LogAttrs()); n != 3 {
		t.Errorf("%d attributes, want 3: %v", n, e.LogAttrs())
	}
}

// declaredKinds reads the constants of event.go.
func declaredKinds(t *testing.T) (kinds []Kind) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "event.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if of, ok := spec.Type.(*ast.Ident); ok && of.Name == "Kind" {
			text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Error(err)
			}
			kinds = append(kinds, Kind(text))
		}
		return true
	})
	return kinds
}

func TestKinds(t *testing.T) {
	kinds := declaredKinds(t)
	if len(kinds) < 30 {
		t.Fatalf("%d kinds are declared", len(kinds))
	}
	seen := map[Kind]bool{}
	for _, k := range kinds {
		if seen[k] || strings.Count(string(k), ".") != 1 || strings.ToLower(string(k)) != string(k) {
			t.Errorf("kind %q", k)
		}
		seen[k] = true
	}
	for _, k := range Audited {
		if !seen[k] {
			t.Errorf("audited kind %q is none", k)
		}
	}
}

// TestLevels: what somebody has to see to is a warning, what is as it should be is not.
func TestLevels(t *testing.T) {
	for _, c := range []struct {
		e    Event
		want slog.Level
	}{
		{Event{Kind: CallRefused, Target: "kitchen", Status: 486, Reason: "busy"}, slog.LevelWarn},
		{Event{Kind: CallRefused, Target: "kitchen", Reason: "no response"}, slog.LevelWarn},
		{Event{Kind: CallRefused, Target: "kitchen", Reason: AnsweredElsewhere}, slog.LevelInfo},
		{Event{Kind: CallRefused, Target: "kitchen", Reason: NotAnswered}, slog.LevelInfo},
		{Event{Kind: CallRefused, Who: "sip:a@b", Status: 486, Reason: "busy"}, slog.LevelInfo},
		{Event{Kind: RegistrationDown, Account: "home"}, slog.LevelInfo},
		{Event{Kind: RegistrationFailed, Account: "home", Status: 403}, slog.LevelWarn},
	} {
		if got := c.e.Level(); got != c.want {
			t.Errorf("%+v: %v, want %v", c.e, got, c.want)
		}
	}
}
