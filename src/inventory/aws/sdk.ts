/**
 * The AWS SDK's clients, loaded when first asked for, since many commands never call AWS. `import()` alone would look for the
 * package again at each of a scan's calls.
 */
export const personalizeSdk = loadOnce(() => import("@aws-sdk/client-personalize"));
export const taggingSdk = loadOnce(() => import("@aws-sdk/client-resource-groups-tagging-api"));
export const cloudtrailSdk = loadOnce(() => import("@aws-sdk/client-cloudtrail"));

function loadOnce<Module>(load: () => Promise<Module>): () => Promise<Module> {
  let loading: Promise<Module> | undefined;
  return () => (loading ??= load());
}
