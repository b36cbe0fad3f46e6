package store

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"

	"gatehouse/detect"
)

// filler gives every field of a struct a value of its own, so that a field
// which is not stored, or stored in the place of another, is noticed.
type filler struct{ n int }

func filled[T any](t *testing.T, f *filler) T {
	t.Helper()
	var v T
	if err := f.fill(reflect.ValueOf(&v).Elem()); err != nil {
		t.Fatalf("fill %T: %v", v, err)
	}
	return v
}

// epoch2024 is 2024-01-01T00:00:00Z. Times count up from it in steps that
// need nanoseconds.
var epoch2024 = time.Unix(1704067200, 0).UTC()

func (f *filler) fill(v reflect.Value) error {
	f.n++
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		*x = epoch2024.Add(time.Duration(f.n) * 1_000_000_001)
		return nil
	case *json.RawMessage:
		*x = json.RawMessage(fmt.Sprintf(`{"n": %d}`, f.n))
		return nil
	case *detect.Severity:
		*x = detect.Severity(f.n%4) + detect.Low
		return nil
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("text-%04d ü", f.n))
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(f.n))
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(f.n))
	case reflect.Float64:
		v.SetFloat(float64(f.n) / 7) // no short decimal form
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Struct:
		for i := range v.NumField() {
			if err := f.fill(v.Field(i)); err != nil {
				return fmt.Errorf("%s: %w", v.Type().Field(i).Name, err)
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			if err := f.fill(v.Index(i)); err != nil {
				return err
			}
		}
	default:
		return fmt.Errorf("cannot fill a %s", v.Type())
	}
	return nil
}
