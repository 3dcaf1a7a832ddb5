import { describe, expect, test } from 'vitest';
import { Refusal, Unreachable } from './host';
import { Intent } from './intent';

/** The ids under which payloads arrive, each answered or refused as told. */
function sent() {
  const ids: string[] = [];
  const send = (outcome?: Error) => (request: { requestId: string }) => {
    ids.push(request.requestId);
    return outcome ? Promise.reject(outcome) : Promise.resolve('done');
  };
  return { ids, send };
}

const lost = new Unreachable('no answer');
const refused = (code: Refusal['code']) =>
  new Refusal({ code, message: 'No.', details: { because: [] } });

describe('what somebody means to do', () => {
  test('keeps its id until an answer comes, and is another act after it', async () => {
    const intent = new Intent();
    const { ids, send } = sent();
    await expect(intent.send({ float: 100 }, send(lost))).rejects.toBe(lost);
    await expect(intent.send({ float: 100 }, send())).resolves.toBe('done');
    await intent.send({ float: 100 }, send());
    expect(ids[1]).toBe(ids[0]);
    expect(ids[2]).not.toBe(ids[0]);
  });

  test('keeps its id when a rule refuses it', async () => {
    const intent = new Intent();
    const { ids, send } = sent();
    await expect(intent.send({}, send(refused('not_permitted')))).rejects.toThrow('No.');
    await intent.send({}, send());
    expect(ids[1]).toBe(ids[0]);
  });

  test('is another act with another payload, and when it is begun anew', async () => {
    const intent = new Intent();
    const { ids, send } = sent();
    await expect(intent.send({ float: 100 }, send(lost))).rejects.toBe(lost);
    await expect(intent.send({ float: 200 }, send(lost))).rejects.toBe(lost);
    intent.renew();
    await expect(intent.send({ float: 200 }, send(lost))).rejects.toBe(lost);
    expect(new Set(ids).size).toBe(3);
  });

  test('has another id after one that was used for something else', async () => {
    const intent = new Intent();
    const { ids, send } = sent();
    await expect(intent.send({}, send(refused('request_reused')))).rejects.toThrow('No.');
    await intent.send({}, send());
    expect(ids[1]).not.toBe(ids[0]);
  });
});
