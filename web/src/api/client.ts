import { authorization } from "./authorization";
import { addressFor } from "./root";
import { askForToken, currentToken } from "./token";

export interface FieldProblem {
  readonly field: string;
  readonly message: string;
}

/** An answer that is no success, in words for a reader. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly kind: string = "",
    readonly fields: readonly FieldProblem[] = [],
  ) {
    super(message);
  }
}

export const apiGet = <T>(path: string, signal?: AbortSignal): Promise<T> =>
  send<T>("GET", path, undefined, signal);
export const apiPost = <T>(path: string, body?: unknown): Promise<T> => send<T>("POST", path, body);
export const apiPut = <T>(path: string, body?: unknown): Promise<T> => send<T>("PUT", path, body);
export const apiDelete = <T>(path: string): Promise<T> => send<T>("DELETE", path);

async function send<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  for (;;) {
    const token = currentToken();
    const response = await fetch(addressFor(path), {
      method,
      headers: {
        Accept: "application/json",
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...authorization(token),
      },
      body: body === undefined ? null : JSON.stringify(body),
      cache: "no-store",
      signal: signal ?? null,
    }).catch((error: unknown) => {
      if (signal?.aborted) throw error;
      throw new ApiError(
        0,
        "The service can't be reached. It may be starting again, or the network is down.",
      );
    });
    if (response.ok) return (await response.json()) as T;
    if (response.status !== 401) throw await readProblem(response);
    await askForToken(token);
  }
}

/** What a problem document (RFC 9457), or any other answer, says. */
export async function readProblem(response: Response): Promise<ApiError> {
  const document: unknown = await response.json().catch(() => null);
  const { type, title, detail, errors } = (document ?? {}) as Record<string, unknown>;
  const text = [detail, title].find((each) => typeof each === "string" && each !== "");
  const message =
    typeof text === "string" ? text : `The service answered ${response.status} ${response.statusText}.`;
  const kind = typeof type === "string" ? type.slice(type.lastIndexOf(":") + 1) : "";
  return new ApiError(
    response.status,
    message,
    kind,
    Array.isArray(errors) ? errors.filter(isFieldProblem) : [],
  );
}

function isFieldProblem(value: unknown): value is FieldProblem {
  const { field, message } = (value ?? {}) as Record<string, unknown>;
  return typeof field === "string" && typeof message === "string";
}

/** What to tell a reader about anything that was thrown. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
