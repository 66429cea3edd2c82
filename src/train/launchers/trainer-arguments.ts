/** Arguments of the trainer's Python: one process, or one a GPU under torchrun, of which rank 0 alone writes events. */
export function trainerArguments(job: string, processes: number): string[] {
  const trainer = ['-m', 'osler_trainer', 'train', job];
  if (processes === 1) return trainer;
  return ['-m', 'torch.distributed.run', '--standalone', '--nproc-per-node', String(processes), ...trainer];
}
