import { createHash } from 'node:crypto';
import type { DatabaseImage, Image } from './image.ts';

const digests = new WeakMap<Uint8Array | DatabaseImage['batches'][number], string>();

/** The same for images of the same content. Bytes are shared among images, so most were digested before. */
export function imageKey({ folders, files, databases }: Image): string {
  const hash = createHash('sha256').update(folders.join('\n'));
  for (const [path, bytes] of files) hash.update(`\n${path} ${digestOf(bytes)}`);
  for (const [path, { batches, opens }] of databases) {
    hash.update(`\n${path} ${opens} ${batches.map(digestOfBatch).join(' ')}`);
  }
  return hash.digest('base64');
}

function digestOf(bytes: Uint8Array): string {
  let digest = digests.get(bytes);
  if (digest === undefined) {
    digest = createHash('sha256').update(bytes).digest('base64');
    digests.set(bytes, digest);
  }
  return digest;
}

function digestOfBatch(batch: DatabaseImage['batches'][number]): string {
  let digest = digests.get(batch);
  if (digest === undefined) {
    const hash = createHash('sha256');
    for (const { key, value } of batch) {
      hash.update(`${key.length} ${value?.length ?? 'deleted'} ${key}`, 'latin1');
      if (value !== null) hash.update(value);
    }
    digest = hash.digest('base64');
    digests.set(batch, digest);
  }
  return digest;
}
