import { type CertifyOptions, certify, formatCertification } from '../../../lab/index.ts';
import { type FileStorageOptions, fileStorage } from '../../../src/storage/index.ts';

/** How certifying the storage, as it is mocked, fails first; for people. */
export async function firstUncertified(
  backend: FileStorageOptions['backend'] & string,
  states: Pick<CertifyOptions, 'crashStates' | 'damagedStates'> = { crashStates: 4000, damagedStates: 0 },
): Promise<{ readonly workload: string; readonly told: string }> {
  const result = await certify((doors) => fileStorage({ directory: '/data', backend, doors }), states);
  const told = formatCertification(result);
  if (result.failure === null) throw new Error(`nothing was found:\n${told}`);
  console.log(told);
  return { workload: result.failure.workload, told };
}
