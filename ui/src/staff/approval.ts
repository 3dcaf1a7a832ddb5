import { Refusal, type Approval } from '../host';

const PIN_REFUSALS = new Set<string>(['pin_wrong', 'pin_locked', 'staff_unknown']);

/** Whether a failure is about who approves and their PIN, not about what is approved. */
export function isOfPin(failure: unknown): boolean {
  return failure instanceof Refusal && PIN_REFUSALS.has(failure.code);
}

/** A request with the approval of someone else, if there is one. */
export function approved<R extends object>(
  request: R,
  approval: Approval | undefined,
): R & { approval?: Approval } {
  return approval ? { ...request, approval } : request;
}
