"""Calls every operation of the sandbox with boto3, as Debian ships it. Usage: aws_clients.py ENDPOINT MODELS_FOLDER

Each answer goes through botocore's own parsers. Operations that Debian's models do not know yet (data deletion jobs, some
updates) are called with a model made of the sandbox's reduced one. Prints one JSON object; an assertion fails the run.
"""

import json
import pathlib
import re
import sys
import tempfile

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT, MODELS = sys.argv[1], pathlib.Path(sys.argv[2])
ACCOUNT, REGION = "111122223333", "us-east-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/PersonalizeServiceRole"
CONFIG = Config(retries={"total_max_attempts": 1})
KEYS = {"aws_access_key_id": f"AKIASANDBOX{ACCOUNT}", "aws_secret_access_key": "sandbox-secret-key"}


def client(service, session=None, **keys):
    maker = (session or boto3).client if hasattr(session or boto3, "client") else session.create_client
    return maker(service, region_name=REGION, endpoint_url=ENDPOINT, config=CONFIG, **(keys or KEYS))


def modern(service, file):
    """A client with the sandbox's reduced model instead of Debian's."""
    operations, shapes = {}, {}
    text = re.search(r"String\.raw`\n(.*?)\n`", (MODELS / f"{file}.ts").read_text(), re.S).group(1)
    for line in text.split("\n"):
        kind, name, *rest = line.split(" ")
        if kind == "operation":
            ends = {end: {"shape": shape} for end, shape in zip(("input", "output"), rest) if shape != "-"}
            operations[name] = {"name": name, "http": {"method": "POST", "requestUri": "/"}, **ends}
        elif kind == "structure":
            members = [member.split(":") for member in rest]
            required = [member[:-1] for member, _ in members if member.endswith("!")]
            shapes[name] = {
                "type": kind,
                "members": {member.rstrip("!"): {"shape": shape} for member, shape in members},
                **({"required": required} if required else {}),
            }
        elif kind == "list":
            shapes[name] = {"type": kind, "member": {"shape": rest[1]}}
        elif kind == "map":
            shapes[name] = {"type": kind, "key": {"shape": rest[1]}, "value": {"shape": rest[2]}}
        else:
            shapes[name] = {"type": "string" if kind == "enum" else kind}
    loader = botocore.session.Session().get_component("data_loader")
    theirs = loader.load_service_model(service, "service-2")
    version = loader.determine_latest_version(service, "service-2")
    folder = pathlib.Path(tempfile.mkdtemp()) / service / version
    folder.mkdir(parents=True)
    model = {"version": "2.0", "metadata": theirs["metadata"], "operations": operations, "shapes": shapes}
    (folder / "service-2.json").write_text(json.dumps(model))
    session = botocore.session.Session()
    session.set_config_variable("data_path", str(folder.parents[1]))
    return client(service, session)


def code_of(call, **parameters):
    try:
        call(**parameters)
    except ClientError as error:
        return error.response["Error"]["Code"]
    raise AssertionError(f"{call} did not fail")


def pages(api, operation, key, **parameters):
    return [item for page in api.get_paginator(operation).paginate(**parameters) for item in page[key]]


def tags(**values):
    return [{"tagKey": key, "tagValue": value} for key, value in values.items()]


old, new = client("personalize"), modern("personalize", "personalize")
made = {}

# Creation, parents first, each with tags.
made["schema"] = old.create_schema(name="boto-schema", schema='{"type": "record"}')["schemaArn"]
group = made["dataset_group"] = old.create_dataset_group(name="boto-group", tags=tags(Owner="a"))["datasetGroupArn"]
dataset = made["dataset"] = old.create_dataset(
    name="boto-dataset", schemaArn=made["schema"], datasetGroupArn=group, datasetType="Interactions", tags=tags(Owner="a")
)["datasetArn"]
assert dataset.endswith(":dataset/boto-group/INTERACTIONS"), dataset
source, output = {"dataLocation": "s3://bucket/in"}, {"s3DataDestination": {"path": "s3://bucket/out"}}
made["dataset_import_job"] = old.create_dataset_import_job(
    jobName="boto-import", datasetArn=dataset, dataSource=source, roleArn=ROLE, tags=tags(Owner="a")
)["datasetImportJobArn"]
made["dataset_export_job"] = old.create_dataset_export_job(
    jobName="boto-export", datasetArn=dataset, roleArn=ROLE, jobOutput=output, tags=tags(Owner="a")
)["datasetExportJobArn"]
made["data_deletion_job"] = new.create_data_deletion_job(
    jobName="boto-erasure", datasetGroupArn=group, dataSource=source, roleArn=ROLE, tags=tags(Owner="a")
)["dataDeletionJobArn"]
tracker = old.create_event_tracker(name="boto-tracker", datasetGroupArn=group, tags=tags(Owner="a"))
made["event_tracker"] = tracker["eventTrackerArn"]
assert re.search(r":event-tracker/\w{8}$", made["event_tracker"]) and tracker["trackingId"], tracker
made["filter"] = old.create_filter(
    name="boto-filter", datasetGroupArn=group, filterExpression="INCLUDE ItemID WHERE Items.A IN (1)", tags=tags(Owner="a")
)["filterArn"]
recipe = old.list_recipes(maxResults=2)["recipes"][0]["recipeArn"]
assert old.describe_recipe(recipeArn=recipe)["recipe"]["recipeArn"] == recipe
made["recommender"] = old.create_recommender(
    name="boto-recommender",
    datasetGroupArn=group,
    recipeArn="arn:aws:personalize:::recipe/aws-vod-top-picks",
    tags=tags(Owner="a"),
)["recommenderArn"]
solution = made["solution"] = old.create_solution(
    name="boto-solution", datasetGroupArn=group, recipeArn=recipe, tags=tags(Owner="a")
)["solutionArn"]
version = made["solution_version"] = old.create_solution_version(solutionArn=solution, tags=tags(Owner="a"))[
    "solutionVersionArn"
]
assert re.search(r":solution/boto-solution/[0-9a-f]{8}$", version), version
campaign = made["campaign"] = old.create_campaign(
    name="boto-campaign", solutionVersionArn=version, minProvisionedTPS=1, tags=tags(Owner="a")
)["campaignArn"]
batch = {"solutionVersionArn": version, "roleArn": ROLE, "jobOutput": output, "tags": tags(Owner="a")}
batch["jobInput"] = {"s3DataSource": {"path": "s3://bucket/in"}}
made["batch_inference_job"] = old.create_batch_inference_job(jobName="boto-batch", **batch)["batchInferenceJobArn"]
made["batch_segment_job"] = old.create_batch_segment_job(jobName="boto-segments", **batch)["batchSegmentJobArn"]
made["metric_attribution"] = old.create_metric_attribution(
    name="boto-metrics",
    datasetGroupArn=group,
    metrics=[{"eventType": "click", "metricName": "clicks", "expression": "SAMPLECOUNT()"}],
    metricsOutputConfig={"roleArn": ROLE},
)["metricAttributionArn"]

# Every kind is described and listed, by the client's own paginator where it has one.
for kind, arn in made.items():
    camel = re.sub(r"_(\w)", lambda match: match.group(1).upper(), kind)
    api = new if kind == "data_deletion_job" else old
    described = getattr(api, f"describe_{kind}")(**{f"{camel}Arn": arn})[camel]
    assert described[f"{camel}Arn"] == arn and described["creationDateTime"].year >= 2024, described
    key = "Filters" if kind == "filter" else f"{camel}s"
    listed = (
        new.list_data_deletion_jobs()[key] if kind == "data_deletion_job" else pages(old, f"list_{kind}s", key)
    )
    assert arn in [item[f"{camel}Arn"] for item in listed], kind
    assert all(set(item) >= {"creationDateTime", "lastUpdatedDateTime"} for item in listed), kind

# Tags: the same for all thirteen types; schemas and metric attributions refuse them.
untaggable = {"schema", "metric_attribution"}
for kind, arn in made.items():
    if kind in untaggable:
        assert code_of(old.tag_resource, resourceArn=arn, tags=tags(Owner="b")) == "InvalidInputException"
        assert code_of(old.list_tags_for_resource, resourceArn=arn) == "InvalidInputException"
        continue
    assert old.list_tags_for_resource(resourceArn=arn)["tags"] == tags(Owner="a"), kind
    old.tag_resource(resourceArn=arn, tags=tags(Owner="b", Team="é /@"))
    assert old.list_tags_for_resource(resourceArn=arn)["tags"] == tags(Owner="b", Team="é /@"), kind
    old.untag_resource(resourceArn=arn, tagKeys=["Owner", "absent"])
    assert old.list_tags_for_resource(resourceArn=arn)["tags"] == tags(Team="é /@"), kind
many = tags(**{f"key-{number}": "" for number in range(51)})
assert code_of(old.tag_resource, resourceArn=campaign, tags=many) == "TooManyTagsException"
assert code_of(old.tag_resource, resourceArn=campaign, tags=tags(**{"aws:x": "y"})) == "InvalidInputException"
assert code_of(old.tag_resource, resourceArn=f"{campaign}-none", tags=[]) == "ResourceNotFoundException"

# The tagging API.
tagging = client("resourcegroupstaggingapi")
taggable = {arn for kind, arn in made.items() if kind not in untaggable}
indexed = pages(tagging, "get_resources", "ResourceTagMappingList", TagFilters=[{"Key": "Team", "Values": ["é /@"]}])
assert {mapping["ResourceARN"] for mapping in indexed} == taggable, indexed
assert "Team" in pages(tagging, "get_tag_keys", "TagKeys")
assert pages(tagging, "get_tag_values", "TagValues", Key="Team") == ["é /@"]
failed = tagging.tag_resources(ResourceARNList=[campaign], Tags={"a": "b"})["FailedResourcesMap"]
assert failed[campaign]["ErrorCode"] == "InternalServiceException", failed
assert campaign in tagging.untag_resources(ResourceARNList=[campaign], TagKeys=["a"])["FailedResourcesMap"]

# STS: the role in another account, and its own view of itself.
sts = client("sts")
assert sts.get_caller_identity()["Account"] == ACCOUNT
organizations = client("organizations")
accounts = pages(organizations, "list_accounts", "Accounts")
member = next(account["Id"] for account in accounts if account["Id"] != ACCOUNT)
assert accounts[0]["Status"] == "ACTIVE" and accounts[0]["JoinedTimestamp"].year == 2023, accounts
role = {"RoleArn": f"arn:aws:iam::{member}:role/TagwardenAudit", "RoleSessionName": "boto"}
credentials = sts.assume_role(**role)["Credentials"]
assumed = {
    "aws_access_key_id": credentials["AccessKeyId"],
    "aws_secret_access_key": credentials["SecretAccessKey"],
    "aws_session_token": credentials["SessionToken"],
}
assert client("sts", **assumed).get_caller_identity()["Account"] == member
theirs = client("personalize", **assumed).list_dataset_groups()["datasetGroups"]
assert theirs and all(f":{member}:" in item["datasetGroupArn"] for item in theirs), theirs
assert code_of(sts.assume_role, **{**role, "RoleArn": f"arn:aws:iam::{member}:role/Nobody"}) == "AccessDenied"

# Organizations.
assert organizations.describe_organization()["Organization"]["MasterAccountId"] == ACCOUNT
assert organizations.describe_account(AccountId=member)["Account"]["Id"] == member
root = organizations.list_roots()["Roots"][0]["Id"]

def units_under(parent):
    direct = pages(organizations, "list_organizational_units_for_parent", "OrganizationalUnits", ParentId=parent)
    return [unit for one in direct for unit in [one, *units_under(one["Id"])]]

units = units_under(root)
assert len({unit["Name"] for unit in units} & {"Workloads", "Production", "Shared"}) == 3, units
under = [pages(organizations, "list_accounts_for_parent", "Accounts", ParentId=unit["Id"]) for unit in units]
under += [pages(organizations, "list_accounts_for_parent", "Accounts", ParentId=root)]
assert sorted(item["Id"] for part in under for item in part) == sorted(account["Id"] for account in accounts)
unit = organizations.describe_organizational_unit(OrganizationalUnitId=units[0]["Id"])["OrganizationalUnit"]
first = next(index for index, part in enumerate(under) if part)
assert organizations.list_parents(ChildId=under[first][0]["Id"])["Parents"][0]["Id"] == units[first]["Id"]
assert organizations.list_parents(ChildId=unit["Id"])["Parents"][0]["Type"] in ("ROOT", "ORGANIZATIONAL_UNIT")
assert {tag["Key"] for tag in pages(organizations, "list_tags_for_resource", "Tags", ResourceId=ACCOUNT)} >= {"Owner"}

# Tag policies: what is attached, and what it comes to in an account.
policies = pages(organizations, "list_policies", "Policies", Filter="TAG_POLICY")
attached = pages(organizations, "list_policies_for_target", "Policies", TargetId=root, Filter="TAG_POLICY")
assert [policy["Id"] for policy in attached] == [policies[0]["Id"]] and len(policies) == 2, policies
content = json.loads(organizations.describe_policy(PolicyId=policies[0]["Id"])["Policy"]["Content"])
assert content["tags"]["CostCenter"]["tag_key"]["@@assign"] == "CostCenter", content
effective = organizations.describe_effective_policy(PolicyType="TAG_POLICY", TargetId=member)["EffectivePolicy"]
assert json.loads(effective["PolicyContent"])["tags"]["costcenter"]["tag_key"] == "CostCenter", effective
missing = {"PolicyType": "BACKUP_POLICY", "TargetId": member}
assert code_of(organizations.describe_effective_policy, **missing) == "EffectivePolicyNotFoundException"

# Who wrote the campaign's tags, as CloudTrail has it: twice above, and a failed call.
trail = client("cloudtrail")
wrote = {"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "TagResource"}], "MaxResults": 50}
events = [event for page in trail.get_paginator("lookup_events").paginate(**wrote) for event in page["Events"]]
records = [json.loads(event["CloudTrailEvent"]) for event in events]
mine = [record for record in records if record["requestParameters"].get("resourceArn") == campaign]
assert [record.get("errorCode") for record in mine] == ["InvalidInputException", "TooManyTagsException", None], mine
assert mine[0]["userIdentity"]["arn"] == f"arn:aws:iam::{ACCOUNT}:user/sandbox" and events[0]["EventTime"].year >= 2024

# Updates, then deletion, children first; what has children refuses.
old.update_campaign(campaignArn=campaign, minProvisionedTPS=3)
assert old.describe_campaign(campaignArn=campaign)["campaign"]["minProvisionedTPS"] == 3
old.update_recommender(recommenderArn=made["recommender"], recommenderConfig={"minRecommendationRequestsPerSecond": 2})
new.update_dataset(datasetArn=dataset, schemaArn=made["schema"])
new.update_solution(solutionArn=solution, performAutoTraining=False)
old.stop_recommender(recommenderArn=made["recommender"])
assert old.describe_recommender(recommenderArn=made["recommender"])["recommender"]["status"] == "INACTIVE"
old.start_recommender(recommenderArn=made["recommender"])
old.stop_solution_version_creation(solutionVersionArn=version)
assert code_of(old.delete_dataset_group, datasetGroupArn=group) == "ResourceInUseException"
for kind in ("campaign", "solution", "recommender", "filter", "event_tracker", "dataset", "schema", "metric_attribution", "dataset_group"):
    camel = re.sub(r"_(\w)", lambda match: match.group(1).upper(), kind)
    getattr(old, f"delete_{kind}")(**{f"{camel}Arn": made[kind]})
    assert code_of(getattr(old, f"describe_{kind}"), **{f"{camel}Arn": made[kind]}) == "ResourceNotFoundException"
assert code_of(old.describe_solution_version, solutionVersionArn=version) == "ResourceNotFoundException"

print(json.dumps({"boto3": boto3.__version__, "made": len(made)}))
