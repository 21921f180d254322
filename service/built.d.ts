/** The web page as built by web-admin/ui/build.mjs; missing in a checkout that was not prepared. */
declare module '#web-admin/built' {
  const assets: readonly unknown[];
  // biome-ignore lint/style/noDefaultExport: a JSON module has no other export.
  export default assets;
}
