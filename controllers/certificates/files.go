package certificates

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// files writes the certificate of a Secret into files as soon as it changes: kubelet
// would take a minute to update a mounted one, in which the API server trusted
// another CA already.
type files struct {
	secret types.NamespacedName
	dir    string
	cache  cache.Cache
}

// addTo has a manager run it on every replica.
func (f *files) addTo(m ctrl.Manager) error {
	var err error
	f.cache, err = cache.New(m.GetConfig(), cache.Options{
		Scheme: m.GetScheme(), Mapper: m.GetRESTMapper(), HTTPClient: m.GetHTTPClient(),
		ByObject: map[client.Object]cache.ByObject{&corev1.Secret{}: {
			Namespaces: map[string]cache.Config{f.secret.Namespace: {}},
			Field:      fields.OneTermEqualSelector("metadata.name", f.secret.Name),
		}},
	})
	if err != nil {
		return err
	}
	return m.Add(f)
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (*files) NeedLeaderElection() bool { return false }

// Start implements manager.Runnable.
func (f *files) Start(ctx context.Context) error {
	informer, err := f.cache.GetInformer(ctx, &corev1.Secret{}, cache.BlockUntilSynced(false))
	if err != nil {
		return err
	}
	issued := make(chan map[string][]byte, 1)
	note := func(o any) {
		s, ok := o.(*corev1.Secret)
		if !ok || len(s.Data[corev1.TLSCertKey]) == 0 || len(s.Data[corev1.TLSPrivateKeyKey]) == 0 {
			return // not issued yet
		}
		select {
		case <-issued: // one that is outdated
		default:
		}
		issued <- s.Data
	}
	_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{AddFunc: note, UpdateFunc: func(_, o any) { note(o) }})
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return f.cache.Start(ctx) })
	group.Go(func() error { f.keep(ctx, issued); return nil })
	return group.Wait()
}

// keep writes what was issued last, again after a second if it can't.
func (f *files) keep(ctx context.Context, issued <-chan map[string][]byte) {
	var data map[string][]byte
	var again <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case data = <-issued:
		case <-again:
		}
		again = nil
		if err := f.write(data); err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "writing the certificate of admission into --webhook-cert-dir", "secret", f.secret)
			again = time.After(time.Second)
		}
	}
}

// write replaces both files. Whoever reads them in between sees a certificate and a
// key that don't match, and keeps those that it has.
func (f *files) write(data map[string][]byte) error {
	for _, name := range []string{corev1.TLSCertKey, corev1.TLSPrivateKeyKey} {
		file := filepath.Join(f.dir, name)
		if before, err := os.ReadFile(file); err == nil && string(before) == string(data[name]) { //nolint:gosec // the folder is the operator's own
			continue
		}
		if err := os.WriteFile(file+".partial", data[name], 0o600); err != nil {
			return fmt.Errorf("writing %s: %w", name, err)
		}
		if err := os.Rename(file+".partial", file); err != nil {
			return fmt.Errorf("writing %s: %w", name, err)
		}
	}
	return nil
}

// placeholder is the file that a rotator waits for, and gives up without, where
// nothing is served from files.
func placeholder(dir string) error {
	f, err := os.OpenFile(filepath.Join(dir, corev1.TLSCertKey), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // the folder is the operator's own
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil // whatever it is
	case err != nil:
		return fmt.Errorf("the folder of certificates: %w", err)
	default:
		return f.Close()
	}
}
