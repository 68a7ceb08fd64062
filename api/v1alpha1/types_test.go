package v1alpha1_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
)

func TestScheme(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"APIKey", "APIKeyList", "ProtectedAPI", "ProtectedAPIList"} {
		o, err := scheme.New(v1alpha1.GroupVersion.WithKind(kind))
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		gvks, _, err := scheme.ObjectKinds(o)
		if err != nil || !slices.Contains(gvks, v1alpha1.GroupVersion.WithKind(kind)) {
			t.Errorf("%T is registered as %v: %v", o, gvks, err)
		}
	}
	if !scheme.IsVersionRegistered(v1alpha1.GroupVersion) {
		t.Error("the version is not registered")
	}
	if _, err := scheme.New(v1alpha1.GroupVersion.WithKind("WatchEvent")); err != nil {
		t.Errorf("clients couldn't watch: %v", err)
	}
}

// TestRoundTrip: Go keeps every field, in JSON and in a deep copy.
func TestRoundTrip(t *testing.T) {
	lists := map[string]runtime.Object{apiKey: &v1alpha1.APIKeyList{}, protectedAPI: &v1alpha1.ProtectedAPIList{}}
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			all := fields(t, everything[kind])
			all["apiVersion"], all["kind"] = v1alpha1.GroupVersion.String(), kind
			all["metadata"] = map[string]any{"name": "all", "labels": map[string]any{"a": "b"}}
			object := typed(kind).(runtime.Object)
			convert(t, all, object)
			wantEqual(t, asMap(t, object), all)

			list := lists[kind]
			convert(t, map[string]any{"metadata": map[string]any{"resourceVersion": "7"}, "items": []any{all}}, list)
			for _, o := range []runtime.Object{object, list} {
				duplicate := o.DeepCopyObject()
				wantEqual(t, duplicate, o)
				wantUnshared(t, reflect.ValueOf(o), reflect.ValueOf(duplicate), reflect.TypeOf(o).String())
			}
		})
	}
}

func convert(t *testing.T, from, to any) {
	t.Helper()
	content, err := json.Marshal(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, to); err != nil {
		t.Fatal(err)
	}
}

func asMap(t *testing.T, o any) map[string]any {
	t.Helper()
	content, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return fields(t, string(content)) // JSON is YAML
}

// wantUnshared looks for memory that a copy has in common with its original.
func wantUnshared(t *testing.T, a, b reflect.Value, path string) {
	t.Helper()
	if a.Type() == reflect.TypeFor[metav1.Time]() {
		return // a value; the zone that it points to is never written
	}
	shares := func() {
		if !a.IsNil() && a.UnsafePointer() == b.UnsafePointer() {
			t.Errorf("%s is shared with the copy", path)
		}
	}
	switch a.Kind() {
	case reflect.Pointer:
		shares()
		if !a.IsNil() {
			wantUnshared(t, a.Elem(), b.Elem(), path)
		}
	case reflect.Struct:
		for i := range a.NumField() {
			wantUnshared(t, a.Field(i), b.Field(i), path+"."+a.Type().Field(i).Name)
		}
	case reflect.Slice:
		shares()
		for i := range a.Len() {
			wantUnshared(t, a.Index(i), b.Index(i), path+"[]")
		}
	case reflect.Map:
		shares()
		for _, k := range a.MapKeys() {
			wantUnshared(t, a.MapIndex(k), b.MapIndex(k), path+"[]")
		}
	default:
		// Strings and numbers share nothing.
	}
}
