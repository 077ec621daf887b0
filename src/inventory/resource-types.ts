/**
 * The thirteen taggable resource types of Amazon Personalize, one row each.
 *
 * Source: the Personalize service model (List*, Describe*, Create*, Delete* operations and their shapes) and the service
 * authorization reference. Schemas and metric attributions take no tags and are no rows here.
 */

/** A row: what differs between types. Everything else is written once, over this table. */
type ResourceTypeRow = {
  /** First part of the resource portion of the ARN: `arn:…:<account>:<arn_prefix>/…`. */
  readonly arn_prefix: string;
  /** Number of `/`-separated parts in the resource portion, the prefix included. Solution and solution version share a prefix. */
  readonly arn_parts: 2 | 3;
  readonly list_operation: string;
  /** Key of the array in the list response. ListFilters alone spells it with a capital. */
  readonly list_key: string;
  /** Field of a summary that holds the ARN. */
  readonly arn_field: string;
  /** Field of a summary that holds the name; null: it has none, and takes the name of its solution. */
  readonly name_field: "name" | "jobName" | null;
  /** Fields with one value that a summary has beyond ARN, name, status and times. A description has them too, under the same names. */
  readonly summary_fields: readonly string[];
  /** Type of the direct parent in the lineage; null for the root. */
  readonly parent: string | null;
  /**
   * Where the parent is named. `arn`: the second part of the resource's own ARN is the parent's name. `summary`, `description`:
   * under the parent's `arn_field`, in what List or only what Describe returns. Null for the root.
   */
  readonly parent_in: "arn" | "summary" | "description" | null;
  /** Field by which the list operation filters: the `arn_field` of the parent, for campaigns of what stands above it. Null: no filter. */
  readonly parent_filter: string | null;
  /**
   * How a resource comes under another parent while it lives; null: never. `update`: field of the description that holds the last
   * update. `follows`: path to the flag by which the parent is always the newest one.
   */
  readonly moves: { readonly update: string; readonly follows: readonly [string, string] } | null;
  readonly describe_operation: string;
  /** Key that wraps the description, and the name in the request field `<describe_key>Arn`. */
  readonly describe_key: string;
  readonly create_operation: string;
  /** Absent where AWS has no delete: jobs, and a single solution version. */
  readonly delete_operation: string | null;
  /**
   * What a change of tags in a CloudFormation template does to a resource: it is updated, replaced (tags are among the
   * `createOnlyProperties`), or replaced by deleting it first with its data. `none`: a template has no such type, or no tags for it.
   * Source: the schemas aws-personalize-*.json of CloudFormation; `unknown` where they are too new to be sure of.
   */
  readonly in_template: "updates" | "replaces" | "deletes_data" | "none" | "unknown";
};

export const RESOURCE_TYPES = {
  "dataset-group": {
    arn_prefix: "dataset-group",
    arn_parts: 2,
    list_operation: "ListDatasetGroups",
    list_key: "datasetGroups",
    arn_field: "datasetGroupArn",
    name_field: "name",
    summary_fields: ["failureReason", "domain"],
    parent: null,
    parent_in: null,
    parent_filter: null,
    moves: null,
    describe_operation: "DescribeDatasetGroup",
    describe_key: "datasetGroup",
    create_operation: "CreateDatasetGroup",
    delete_operation: "DeleteDatasetGroup",
    in_template: "replaces",
  },
  dataset: {
    arn_prefix: "dataset",
    arn_parts: 3,
    list_operation: "ListDatasets",
    list_key: "datasets",
    arn_field: "datasetArn",
    name_field: "name",
    summary_fields: ["datasetType"],
    parent: "dataset-group",
    parent_in: "arn",
    parent_filter: "datasetGroupArn",
    moves: null,
    describe_operation: "DescribeDataset",
    describe_key: "dataset",
    create_operation: "CreateDataset",
    delete_operation: "DeleteDataset",
    in_template: "deletes_data",
  },
  "dataset-import-job": {
    arn_prefix: "dataset-import-job",
    arn_parts: 2,
    list_operation: "ListDatasetImportJobs",
    list_key: "datasetImportJobs",
    arn_field: "datasetImportJobArn",
    name_field: "jobName",
    summary_fields: ["failureReason", "importMode"],
    parent: "dataset",
    parent_in: "description",
    parent_filter: "datasetArn",
    moves: null,
    describe_operation: "DescribeDatasetImportJob",
    describe_key: "datasetImportJob",
    create_operation: "CreateDatasetImportJob",
    delete_operation: null,
    in_template: "none",
  },
  "dataset-export-job": {
    arn_prefix: "dataset-export-job",
    arn_parts: 2,
    list_operation: "ListDatasetExportJobs",
    list_key: "datasetExportJobs",
    arn_field: "datasetExportJobArn",
    name_field: "jobName",
    summary_fields: ["failureReason"],
    parent: "dataset",
    parent_in: "description",
    parent_filter: "datasetArn",
    moves: null,
    describe_operation: "DescribeDatasetExportJob",
    describe_key: "datasetExportJob",
    create_operation: "CreateDatasetExportJob",
    delete_operation: null,
    in_template: "none",
  },
  "data-deletion-job": {
    arn_prefix: "data-deletion-job",
    arn_parts: 2,
    list_operation: "ListDataDeletionJobs",
    list_key: "dataDeletionJobs",
    arn_field: "dataDeletionJobArn",
    name_field: "jobName",
    summary_fields: ["datasetGroupArn", "failureReason"],
    parent: "dataset-group",
    parent_in: "summary",
    parent_filter: "datasetGroupArn",
    moves: null,
    describe_operation: "DescribeDataDeletionJob",
    describe_key: "dataDeletionJob",
    create_operation: "CreateDataDeletionJob",
    delete_operation: null,
    in_template: "none",
  },
  "event-tracker": {
    arn_prefix: "event-tracker",
    arn_parts: 2,
    list_operation: "ListEventTrackers",
    list_key: "eventTrackers",
    arn_field: "eventTrackerArn",
    name_field: "name",
    summary_fields: [],
    parent: "dataset-group",
    parent_in: "description",
    parent_filter: "datasetGroupArn",
    moves: null,
    describe_operation: "DescribeEventTracker",
    describe_key: "eventTracker",
    create_operation: "CreateEventTracker",
    delete_operation: "DeleteEventTracker",
    in_template: "updates",
  },
  filter: {
    arn_prefix: "filter",
    arn_parts: 2,
    list_operation: "ListFilters",
    list_key: "Filters",
    arn_field: "filterArn",
    name_field: "name",
    summary_fields: ["datasetGroupArn", "failureReason"],
    parent: "dataset-group",
    parent_in: "summary",
    parent_filter: "datasetGroupArn",
    moves: null,
    describe_operation: "DescribeFilter",
    describe_key: "filter",
    create_operation: "CreateFilter",
    delete_operation: "DeleteFilter",
    in_template: "updates",
  },
  recommender: {
    arn_prefix: "recommender",
    arn_parts: 2,
    list_operation: "ListRecommenders",
    list_key: "recommenders",
    arn_field: "recommenderArn",
    name_field: "name",
    summary_fields: ["datasetGroupArn", "recipeArn"],
    parent: "dataset-group",
    parent_in: "summary",
    parent_filter: "datasetGroupArn",
    moves: null,
    describe_operation: "DescribeRecommender",
    describe_key: "recommender",
    create_operation: "CreateRecommender",
    delete_operation: "DeleteRecommender",
    in_template: "none",
  },
  solution: {
    arn_prefix: "solution",
    arn_parts: 2,
    list_operation: "ListSolutions",
    list_key: "solutions",
    arn_field: "solutionArn",
    name_field: "name",
    summary_fields: ["recipeArn"],
    parent: "dataset-group",
    parent_in: "description",
    parent_filter: "datasetGroupArn",
    moves: null,
    describe_operation: "DescribeSolution",
    describe_key: "solution",
    create_operation: "CreateSolution",
    delete_operation: "DeleteSolution",
    in_template: "replaces",
  },
  "solution-version": {
    arn_prefix: "solution",
    arn_parts: 3,
    list_operation: "ListSolutionVersions",
    list_key: "solutionVersions",
    arn_field: "solutionVersionArn",
    name_field: null,
    summary_fields: ["trainingMode", "trainingType", "failureReason"],
    parent: "solution",
    parent_in: "arn",
    parent_filter: "solutionArn",
    moves: null,
    describe_operation: "DescribeSolutionVersion",
    describe_key: "solutionVersion",
    create_operation: "CreateSolutionVersion",
    delete_operation: null,
    in_template: "none",
  },
  campaign: {
    arn_prefix: "campaign",
    arn_parts: 2,
    list_operation: "ListCampaigns",
    list_key: "campaigns",
    arn_field: "campaignArn",
    name_field: "name",
    summary_fields: ["failureReason"],
    parent: "solution-version",
    parent_in: "description",
    parent_filter: "solutionArn",
    moves: { update: "latestCampaignUpdate", follows: ["campaignConfig", "syncWithLatestSolutionVersion"] },
    describe_operation: "DescribeCampaign",
    describe_key: "campaign",
    create_operation: "CreateCampaign",
    delete_operation: "DeleteCampaign",
    in_template: "updates",
  },
  "batch-inference-job": {
    arn_prefix: "batch-inference-job",
    arn_parts: 2,
    list_operation: "ListBatchInferenceJobs",
    list_key: "batchInferenceJobs",
    arn_field: "batchInferenceJobArn",
    name_field: "jobName",
    summary_fields: ["failureReason", "solutionVersionArn", "batchInferenceJobMode"],
    parent: "solution-version",
    parent_in: "summary",
    parent_filter: "solutionVersionArn",
    moves: null,
    describe_operation: "DescribeBatchInferenceJob",
    describe_key: "batchInferenceJob",
    create_operation: "CreateBatchInferenceJob",
    delete_operation: null,
    in_template: "unknown",
  },
  "batch-segment-job": {
    arn_prefix: "batch-segment-job",
    arn_parts: 2,
    list_operation: "ListBatchSegmentJobs",
    list_key: "batchSegmentJobs",
    arn_field: "batchSegmentJobArn",
    name_field: "jobName",
    summary_fields: ["failureReason", "solutionVersionArn"],
    parent: "solution-version",
    parent_in: "summary",
    parent_filter: "solutionVersionArn",
    moves: null,
    describe_operation: "DescribeBatchSegmentJob",
    describe_key: "batchSegmentJob",
    create_operation: "CreateBatchSegmentJob",
    delete_operation: null,
    in_template: "unknown",
  },
} as const satisfies Record<string, ResourceTypeRow>;

/** One of the thirteen taggable types, kebab-case. */
export type ResourceType = keyof typeof RESOURCE_TYPES;

/** The thirteen names, in the order of the table: parents before children. */
export const RESOURCE_TYPE_NAMES = Object.keys(RESOURCE_TYPES) as ResourceType[];
