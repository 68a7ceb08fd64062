package v1alpha1_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/restmapper"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/hack/devcluster"
)

func discover(t *testing.T) *discovery.DiscoveryClient {
	t.Helper()
	client, err := discovery.NewDiscoveryClientForConfig(devcluster.For(t).Config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// TestNames resolves what people type as kubectl does.
func TestNames(t *testing.T) {
	client := memory.NewMemCacheClient(discover(t))
	mapper := restmapper.NewShortcutExpander(restmapper.NewDeferredDiscoveryRESTMapper(client), client, func(warning string) { t.Error(warning) })
	for typed, want := range map[string]string{
		"ak": "apikeys", "apikey": "apikeys", "apikeys": "apikeys",
		"papi": "protectedapis", "protectedapi": "protectedapis", "protectedapis": "protectedapis",
	} {
		got, err := mapper.ResourceFor(schema.GroupVersionResource{Resource: typed})
		if err != nil {
			t.Errorf("%s: %v", typed, err)
			continue
		}
		wantEqual(t, got, v1alpha1.GroupVersion.WithResource(want))
	}
}

// TestCategory: one word for everything of ours. kubectl looks for a category
// before it looks for a resource, so it must be the name of none:
// `kubectl delete apikeys --all` would delete every ProtectedAPI too.
func TestCategory(t *testing.T) {
	names := definition(t, apiKey).Names
	if len(names.Categories) != 1 || !slices.Equal(names.Categories, definition(t, protectedAPI).Names.Categories) {
		t.Fatalf("want one category for both kinds, got %v and %v", names.Categories, definition(t, protectedAPI).Names.Categories)
	}
	category := names.Categories[0]
	resources, ok := restmapper.NewDiscoveryCategoryExpander(discover(t)).Expand(category)
	if !ok {
		t.Fatalf("the API server knows no category %s", category)
	}
	var got []string
	for _, r := range resources {
		got = append(got, r.String())
	}
	slices.Sort(got)
	wantEqual(t, got, []string{"apikeys.apikey-operator.dev", "protectedapis.apikey-operator.dev"})

	for _, kind := range kinds {
		names := definition(t, kind).Names
		for _, name := range append(names.ShortNames, names.Singular, names.Plural) {
			if category == name {
				t.Errorf("the category %s is also a name of %s: kubectl can't tell them apart", category, kind)
			}
		}
	}
}

// table asks for one object as kubectl get does.
func table(t *testing.T, kind, name string) *metav1.Table {
	t.Helper()
	content, err := discover(t).RESTClient().Get().
		AbsPath("/apis", v1alpha1.GroupVersion.String(), "namespaces", namespace, plurals[kind], name).
		SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").
		Do(t.Context()).Raw()
	if err != nil {
		t.Fatal(err)
	}
	var table metav1.Table
	if err := json.Unmarshal(content, &table); err != nil {
		t.Fatal(err)
	}
	return &table
}

// TestColumns shows everything as kubectl get does; + stands before what only
// -o wide shows.
func TestColumns(t *testing.T) {
	for kind, want := range map[string][]string{
		apiKey: {
			"State: Active", "Ready: True", "Propagated: False", "Hint: bk_live_1234", "API: billoget", "Secret: shopify-api-key", "Expires: 2026-12-31T23:59:59Z",
			"+Project: proj_abc123", `+Scopes: ["READ_BUDGETS","customers:*"]`, "+Rotates: 2026-12-15T10:30:00Z", "+Reason: Issued",
		},
		protectedAPI: {
			"Ready: True", `Hosts: ["api.billoget.com","*.billoget.dev"]`, "Keys: 42",
			"+Prefix: bk", "+HostsAccepted: <nil>",
		},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			all := fields(t, everything[kind])
			u := mustCreate(t, objectOf(kind, all["spec"].(map[string]any)))
			u.Object["status"] = all["status"]
			u, err := update(t, u, persist, "status")
			wantAccepted(t, u, err)

			table := table(t, kind, u.GetName())
			if len(table.Rows) != 1 {
				t.Fatalf("got %d rows", len(table.Rows))
			}
			wantEqual(t, cells(t, table, u.GetName()), want)
		})
	}
}

// cells writes a table's one row without its name and age, which it checks.
func cells(t *testing.T, table *metav1.Table, name string) []string {
	t.Helper()
	var all []string
	for i, column := range table.ColumnDefinitions {
		value, ok := table.Rows[0].Cells[i].(string)
		if !ok {
			content, err := json.Marshal(table.Rows[0].Cells[i])
			if err != nil {
				t.Fatal(err)
			}
			value = strings.Replace(string(content), "null", "<nil>", 1)
		}
		switch column.Name {
		case "Name":
			wantEqual(t, value, name)
		case "Age":
			if column.Type != "date" || value == "" || value == "<unknown>" {
				t.Errorf("age %q", value)
			}
		default:
			all = append(all, strings.Repeat("+", int(column.Priority))+column.Name+": "+value)
		}
	}
	return all
}
