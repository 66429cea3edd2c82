const smallFiles =
  /^(?:config|generation_config|tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab|model\.safetensors\.index)\.json$|^(?:tokenizer\.model|merges\.txt|vocab\.txt|chat_template\.jinja)$/;

/** Whether a file of a model tells its shape or its tokenizer, and is none of its weights. */
export function isSmallBaseFile(file: string): boolean {
  return smallFiles.test(file);
}
