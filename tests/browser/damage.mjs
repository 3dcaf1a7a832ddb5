import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Changes a digit in the middle of the shop's history, as a failing disk would: in a delivery of mugs. */
export function damage(shop) {
  const folder = join(shop.data, 'store', 'events');
  const [segment] = readdirSync(folder).filter((name) => name.endsWith('.jsonl'));
  const file = join(folder, segment);
  const text = readFileSync(file, 'latin1');
  const delivery = text.indexOf('"type":"StockReceived","tags":["product:21071"');
  if (delivery < 0) throw new Error('the demo delivers no mugs any more');
  const at = text.indexOf('"quantity":', delivery) + '"quantity":'.length;
  writeFileSync(file, `${text.slice(0, at)}9${text.slice(at + 1)}`, 'latin1');
}
