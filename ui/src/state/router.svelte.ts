/**
 * Where we are: the page path below the hub's base, and its query. The address bar is the only home of this state.
 */

const base = new URL(document.baseURI).pathname;

function here(): { path: string; search: string; hash: string } {
  const path = location.pathname.startsWith(base) ? location.pathname.slice(base.length) : location.pathname.slice(1);
  return { path: path.replace(/\/+$/, ''), search: location.search, hash: location.hash.slice(1) };
}

class Router {
  path = $state('');
  search = $state('');
  hash = $state('');
  /** Raised by Back and Forward and by links, not by our own `replace`: pages read their state again. */
  visits = $state(0);

  constructor() {
    this.take();
    addEventListener('popstate', () => {
      this.take();
      this.visits += 1;
    });
  }

  private take(): void {
    Object.assign(this, here());
  }

  /** The parts of the path: `drafts/d1/terms` is `['drafts', 'd1', 'terms']`. */
  get parts(): string[] {
    return this.path.split('/').map(decodeURIComponent);
  }

  /** The secret of a setup link: `/#link=SECRET` on any page, or `/setup#SECRET`. Empty if there is none. */
  get link(): string {
    if (this.hash.startsWith('link=')) return this.hash.slice(5);
    return this.path === 'setup' ? this.hash : '';
  }

  /** The address of a page such as `agreements`, with an optional query. */
  href(path: string, search = ''): string {
    return `${base}${path}${search ? `?${search}` : ''}`;
  }

  /** Opens a page as a step that Back undoes. */
  open(path: string, search = ''): void {
    history.pushState(null, '', this.href(path, search));
    this.take();
    this.visits += 1;
    scrollTo(0, 0);
  }

  /** Rewrites the query of this page: a step (`push`) or in place. */
  write(search: string, push: boolean): void {
    const target = this.href(this.path, search);
    if (target === location.pathname + location.search) return;
    if (push) history.pushState(null, '', target);
    else history.replaceState(null, '', target);
    this.take();
  }

  /** A click handler for links inside the application; new tabs and modified clicks stay the browser's. */
  follow = (event: MouseEvent): void => {
    const link = event.currentTarget as HTMLAnchorElement;
    if (event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    const url = new URL(link.href);
    this.open(url.pathname.slice(base.length), url.search.slice(1));
  };
}

export const router = new Router();
