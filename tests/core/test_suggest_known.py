"""What `remit tools suggest` says of tools as many MCP servers have them: never better than they are, and seldom worse.

The table has names of tools and of their arguments, and what each does; no text of any server.
"""

from dataclasses import replace
from typing import Final, NamedTuple

import pytest

from remit.control.suggest import propose
from remit.facts.canonical import Json
from remit.facts.tool import Definition
from tests.core.test_suggest import TEXT

TABLE: Final = """
# server tool arguments effect sink: the least that is safe to say
# ~: more may be said; ?: less, where its server claims so
filesystem read_file path read internal
filesystem read_text_file path,head,tail read internal
filesystem read_multiple_files paths read internal
filesystem write_file path,content write internal
filesystem edit_file path,edits,dryRun write internal
filesystem create_directory path write internal
filesystem list_directory path read internal
filesystem directory_tree path read internal
filesystem move_file source,destination write internal
filesystem search_files path,pattern,excludePatterns read internal
filesystem get_file_info path read internal
filesystem list_allowed_directories - read internal
git git_status repo_path read internal
git git_diff_unstaged repo_path,context_lines read internal
git git_diff repo_path,target read internal
git git_commit repo_path,message write internal~
git git_add repo_path,files write internal~
git git_reset repo_path write internal~
git git_show repo_path,revision read internal
git git_checkout repo_path,branch_name write internal~
git git_create_branch repo_path,branch_name,base_branch write internal~
git git_branch repo_path,branch_type read~ internal~
git git_push remote,branch irreversible external
git git_pull remote,branch write external
git git_clone url,path write external
memory create_entities entities write internal~
memory create_relations relations write internal~
memory add_observations observations write internal~
memory delete_entities entityNames irreversible internal~
memory read_graph - read internal
memory search_nodes query read internal
memory open_nodes names read internal
fetch fetch url,max_length,start_index,raw read external
time get_current_time timezone read internal
time convert_time source_timezone,time,target_timezone read~ internal~
sqlite read_query query read internal~
sqlite write_query query write internal~
sqlite create_table query write internal
sqlite list_tables - read internal
sqlite describe_table table_name read internal
sqlite append_insight insight write internal~
postgres query sql write? internal~
postgres execute_sql sql write internal~
postgres list_schemas - read internal
postgres explain_query sql read~ internal~
postgres analyze_db_health health_type read~ internal~
search google_search query,num_results read external
search google_image_search query read external
search brave_web_search query,count,offset read external
search brave_local_search query,count read external
search tavily_search query,topic,days read external
search tavily_extract urls,extract_depth read~ external
search tavily_crawl url,max_depth read~ external
search tavily_map url read~ external
search web_search_exa query,numResults read external
search company_research_exa companyName read~ external
search crawling_exa url read~ external
search perplexity_ask messages read~ external
search perplexity_research messages read~ external
search bing_search q,count read external
search kagi_search_fetch queries read external
search duckduckgo_search query,max_results read external
search search query read external
search search_web query read external
search search_wikipedia query,limit read external
search get_summary title read internal
search search_arxiv query,max_results read external
search search_papers query,categories read external
search download_paper paper_id read external
search search_pubmed query read external
search search_tweets query,count read external
search search_reddit query read external
search search_images query read external
search search_videos query read external
search search_recipes query read external
search search_flights origin,destination,date read external
search search_jobs keywords,location read external
search find_places query,location read external
search lookup_word word read external
search ask_question repoName,question read~ external
search read_wiki_contents repoName read external
search resolve-library-id libraryName read~ external
search get-library-docs context7CompatibleLibraryID,topic,tokens read internal
search get_transcript url,lang read external
search scrape_url url read~ external
search firecrawl_scrape url,formats read~ external
search firecrawl_search query,limit read external
search firecrawl_crawl url write? external
search get_weather city read external
search get_forecast latitude,longitude read external
search get_weather_alerts state read external
search get_stock_price ticker read external
search get_exchange_rate base,target read external
search maps_geocode address read~ external
search maps_directions origin,destination,mode read~ external
search maps_search_places query,location,radius read external
search get_news topic read external
search get_top_headlines country read external
search translate_text text,target_language read~ external
search dns_lookup domain read external
search whois_lookup domain read external
search ping_host host read~ external
browser browser_navigate url irreversible external
browser browser_click element,ref irreversible external
browser browser_type element,ref,text,submit irreversible external
browser browser_fill_form fields irreversible external
browser browser_select_option element,ref,values irreversible external
browser browser_evaluate function irreversible external
browser browser_press_key key irreversible external
browser browser_file_upload paths write external
browser browser_handle_dialog accept,promptText irreversible external
browser browser_take_screenshot filename read~ external
browser browser_snapshot - read~ external~
browser puppeteer_navigate url irreversible external
browser puppeteer_fill selector,value irreversible external
browser puppeteer_evaluate script irreversible external
github search_repositories query,page read internal~
github create_repository name,description,private write external
github get_file_contents owner,repo,path read internal~
github push_files owner,repo,branch,files,message irreversible external
github create_or_update_file owner,repo,path,content,message,branch write external
github create_issue owner,repo,title,body,assignees,labels write external
github create_pull_request owner,repo,title,head,base,body write external
github fork_repository owner,repo,organization write external
github create_branch owner,repo,branch write external
github list_commits owner,repo,sha read internal~
github list_issues owner,repo,state read internal~
github update_issue owner,repo,issue_number,title,body,state write external
github add_issue_comment owner,repo,issue_number,body write external
github search_code q,order read internal~
github search_issues q,sort read internal~
github search_users q,sort read internal~
github merge_pull_request owner,repo,pull_number irreversible external
github get_pull_request owner,repo,pull_number read internal~
github create_pull_request_review owner,repo,pull_number,body,event write external
github request_copilot_review owner,repo,pullNumber write external
github dismiss_notification threadID write external
github run_workflow owner,repo,workflow_id,ref irreversible external
github rerun_failed_jobs owner,repo,run_id irreversible external
github cancel_workflow_run owner,repo,run_id irreversible external
github delete_file owner,repo,path,message irreversible external
github star_repository owner,repo write external
github assign_copilot_to_issue owner,repo,issueNumber write external
slack slack_list_channels limit,cursor read internal
slack slack_post_message channel_id,text irreversible external
slack slack_reply_to_thread channel_id,thread_ts,text write external
slack slack_add_reaction channel_id,timestamp,reaction write external
slack slack_get_channel_history channel_id,limit read internal
slack slack_get_thread_replies channel_id,thread_ts read internal
slack slack_get_users cursor,limit read internal
slack slack_get_user_profile user_id read internal
slack conversations_search_messages search_query,filter_in_channel read internal
slack conversations_add_message channel_id,text write external
mail search_emails query,maxResults read internal
mail read_email messageId read internal
mail send_email to,subject,body,cc,bcc irreversible external
mail draft_email to,subject,body write external
mail modify_email messageId,labelIds write external
mail delete_email messageId irreversible external~
mail download_attachment messageId,attachmentId,savePath write internal~
mail forward_email messageId,to irreversible external
mail mark_as_read messageId write internal~
calendar list_events calendarId,timeMin read internal
calendar create_event summary,start,end,attendees write external
calendar delete_event eventId irreversible external~
calendar respond_to_event eventId,response irreversible external
drive gdrive_search query read internal~
drive gdrive_read_file fileId read internal
drive share_file fileId,email,role irreversible external
drive share_document documentId,visibility irreversible external
drive upload_file name,content write external
drive copy_file fileId,name write internal
drive export_file fileId,mimeType read~ internal~
notion API-post-search query irreversible~ external~
notion API-patch-page page_id,properties write external
notion API-retrieve-a-page page_id read internal~
notion notion_create_comment page_id,text write external
atlassian jira_search jql,limit read internal~
atlassian jira_get_issue issue_key read internal
atlassian jira_transition_issue issue_key,transition_id write external
atlassian jira_add_worklog issue_key,time_spent write external
atlassian jira_create_issue project_key,summary,issue_type write external
atlassian jira_link_issues inward,outward write external
atlassian confluence_search query,limit read internal~
atlassian confluence_create_page space_key,title,content write external
linear list_issues assignee,team read internal
linear update_issue id,state write external
pay create_payment_link price,quantity write external
pay create_refund payment_intent,amount irreversible external
pay list_customers limit,email read internal~
pay create_invoice customer,days_until_due write external
pay finalize_invoice invoice irreversible external
pay retrieve_balance - read internal
pay load_funds card_id,amount irreversible external
pay load_card card_id,amount irreversible external
pay top_up_wallet amount irreversible external
pay charge_card card_id,amount irreversible external
pay withdraw amount,address irreversible external
pay deposit amount irreversible external
pay place_order symbol,side,quantity irreversible external
pay get_quote symbol read external
pay swap_tokens from_token,to_token,amount irreversible external
pay approve_payment payment_id irreversible external
pay view_and_approve payment_id irreversible external
pay check_and_pay_invoice invoice_id irreversible external
pay list_item_for_sale item,price irreversible external
pay void_invoice invoice_id irreversible external
pay capture_payment_intent id irreversible external
pay confirm_booking booking_id irreversible external
cloud list_buckets - read internal
cloud get_object bucket,key read internal
cloud put_object bucket,key,body write external
cloud list_instances region read internal
cloud start_instance instance_id irreversible external
cloud stop_instance instance_id irreversible external
cloud reboot_instance instance_id irreversible external
cloud scale_deployment name,replicas irreversible external
cloud rollback_release release_id irreversible external
cloud get_logs service,since read internal
cloud kubectl_get resource,namespace read internal
cloud kubectl_apply manifest write external
cloud kubectl_delete resource,name irreversible external~
cloud kubectl_exec pod,command irreversible external
cloud execute_command command irreversible external
cloud run_terminal_cmd command irreversible external
cloud deploy_site site_id,dir irreversible external
cloud create_droplet name,region,size write external
cloud enable_feature_flag key irreversible external
cloud rotate_keys user irreversible external
cloud unlock_account user irreversible external
cloud status_set service,status write external
cloud head_object bucket,key read internal
cloud query_metrics query,start,end read internal
cloud search_logs query read internal
cloud search_dashboards query read internal
data list_collections database read internal
data find collection,filter read internal~
data aggregate collection,pipeline read~ internal~
data insert-many collection,documents write external
data drop-collection collection irreversible external
data hset name,key,value write? external~
data json_set name,path,value write external~
data vector_search query,index read external
data get_record baseId,tableId,recordId read internal
data update_records baseId,tableId,records write external
data search_records baseId,searchTerm read internal
data fetch_and_store_page url,name write external
data load_dataset name read internal
data load_file path read internal
data get_rows file_id,save_path write internal~
home turn_on_light entity_id irreversible external
home lock_door entity_id irreversible external
home set_thermostat entity_id,temperature write external
home get_state entity_id read internal
home call_service domain,service irreversible external
chat whatsapp_send_message recipient,message irreversible external
chat make_call to,script irreversible external
chat broadcast text irreversible external
chat start_chat participants irreversible external
chat invite_member email,team irreversible external
chat remove_member member,team irreversible external
code sequentialthinking thought,nextThoughtNeeded read~ external~
code run_python_code python_code irreversible external
code get_diagnostics uri read external
code search_symbols query read internal
code replace_symbol_body name_path,body write external
code rename_symbol name,new_name write external
code execute_shell_command command irreversible external
"""
EFFECTS: Final = ("read", "write", "irreversible")
SINKS: Final = ("none", "internal", "external")


class Known(NamedTuple):
    """A tool of the table."""

    name: str
    definition: Definition
    effect: str
    sink: str


def known() -> list[Known]:
    found: list[Known] = []
    for row in TABLE.strip().splitlines():
        if row.startswith("#"):
            continue
        server, name, arguments, effect, sink = row.split()
        properties: dict[str, Json] = {} if arguments == "-" else dict.fromkeys(arguments.split(","), TEXT)
        made = Definition(name, "", {"type": "object", "properties": properties}, None, {})
        found.append(Known(server, made, effect, sink))
    return found


@pytest.mark.parametrize("one", known(), ids=lambda one: f"{one.name}/{one.definition.name}")
def test_a_tool_is_never_called_better_than_it_is(one: Known) -> None:
    (found,) = propose(one.name, [one.definition])
    effect, sink = str(found.spec["effect"]), str(found.spec["sink"])
    assert EFFECTS.index(effect) >= EFFECTS.index(one.effect.strip("~?")), found.because["effect"]
    assert SINKS.index(sink) >= SINKS.index(one.sink.strip("~?")), found.because["sink"]


def test_most_are_called_what_they_are() -> None:
    """Where the worst is said of what is not that bad, people are asked too often."""
    found = [(one, propose(one.name, [one.definition])[0].spec) for one in known()]
    reads = [(one, spec) for one, spec in found if one.effect == "read"]
    worse = [one.definition.name for one, spec in reads if spec["effect"] != "read"]
    assert not worse
    inside = [(one, spec) for one, spec in reads if one.sink == "internal"]
    assert [one.definition.name for one, spec in inside if spec["sink"] != "internal"] == []


@pytest.mark.parametrize("one", known(), ids=lambda one: f"{one.name}/{one.definition.name}")
def test_no_claim_of_a_server_lowers_what_a_name_says(one: Known) -> None:
    claims: dict[str, Json] = {"readOnlyHint": True, "openWorldHint": False, "destructiveHint": False}
    (found,) = propose(one.name, [replace(one.definition, annotations=claims)])
    assert (found.spec["effect"] == "read") <= (one.effect.strip("~") == "read" or one.effect.endswith("?"))
