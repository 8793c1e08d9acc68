import { useEffect, useRef, type FormEvent } from "react";

interface Props {
  readonly refused: boolean;
  readonly onToken: (token: string) => void;
}

/** The relay asks for a token. */
export function TokenDialog({ refused, onToken }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (!dialog.current?.open) dialog.current?.showModal();
  }, []);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const token = input.current?.value.trim();
    if (token) onToken(token);
  };
  return (
    <dialog ref={dialog} aria-labelledby="token-title" onCancel={(event) => event.preventDefault()}>
      <h2 id="token-title">This relay asks for a token</h2>
      <form className="token" onSubmit={submit}>
        <label htmlFor="token">Token</label>
        <input id="token" ref={input} type="password" autoComplete="off" spellCheck={false} required
          aria-describedby="token-help" aria-invalid={refused} />
        <p id="token-help" className={refused ? "bad" : "muted"}>
          {refused
            ? "The relay did not take that token: it is not one of its own, or it has ended."
            : "Whoever runs the relay makes one with “tickwire token”. It is kept for this tab only."}
        </p>
        <button type="submit">Enter</button>
      </form>
    </dialog>
  );
}
