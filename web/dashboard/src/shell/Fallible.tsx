import { Component, type ReactNode } from "react";
import { Notice } from "./Notice";

interface State {
  readonly failure: string | null;
}

/** A part of the page that fails says so in its place: the rest goes on. */
export class Fallible extends Component<{ readonly children: ReactNode }, State> {
  override state: State = { failure: null };

  static getDerivedStateFromError(error: unknown): State {
    return { failure: error instanceof Error ? error.message : String(error) };
  }

  override render(): ReactNode {
    if (this.state.failure === null) return this.props.children;
    return (
      <div className="panel">
        <Notice kind="error" onRetry={() => this.setState({ failure: null })}>This part of the page failed: {this.state.failure}.</Notice>
      </div>
    );
  }
}
