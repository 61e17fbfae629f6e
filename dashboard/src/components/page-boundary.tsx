import { Component, type ComponentChildren } from "preact";

/** Shows that a page broke, or that its files could not be loaded, in the place of the page. */
export class PageBoundary extends Component<{ children: ComponentChildren }, { error?: Error }> {
  override state: { error?: Error } = {};

  static override getDerivedStateFromError(error: Error): { error: Error } {
    return { error };
  }

  override render() {
    const { error } = this.state;
    if (!error) return this.props.children;
    return (
      <div class="notice failed" role="alert">
        <strong>This page could not be shown</strong>
        <span>{error.message}</span>
        <div>
          <button type="button" class="button" onClick={() => location.reload()}>
            Load it again
          </button>
        </div>
      </div>
    );
  }
}
