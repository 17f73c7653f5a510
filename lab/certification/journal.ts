/** One operation that changed something on its way to the medium, in the order in which they took effect. */
export type JournalRecord =
  | {
      readonly kind:
        | 'create'
        | 'make folder'
        | 'remove'
        | 'remove folder'
        | 'sync'
        | 'sync folder'
        | 'truncate';
      readonly path: string;
    }
  | { readonly kind: 'rename'; readonly path: string; readonly to: string }
  | { readonly kind: 'write'; readonly path: string; readonly offset: number; readonly length: number }
  | {
      readonly kind: 'database write';
      readonly path: string;
      readonly changes: number;
      readonly synced: boolean;
    };

export function describeRecord(record: JournalRecord): string {
  switch (record.kind) {
    case 'write':
      return `write ${record.path} at ${record.offset}, ${record.length} bytes`;
    case 'rename':
      return `rename ${record.path} to ${record.to}`;
    case 'database write':
      return `${record.synced ? 'synced' : 'unsynced'} batch of ${record.changes} to the database ${record.path}`;
    default:
      return `${record.kind} ${record.path}`;
  }
}
