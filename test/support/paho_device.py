"""Device written with Eclipse Paho that answers requests. Arguments: port, protocol (5 or 3.1.1)."""
import sys
import paho.mqtt.client as mqtt
from paho.mqtt.properties import Properties
from paho.mqtt.packettypes import PacketTypes

port, five = int(sys.argv[1]), sys.argv[2] == "5"


def on_connect(client, *_):
    client.subscribe("paho/+/requests/#", qos=1)


def on_message(client, _userdata, message):
    properties = getattr(message, "properties", None)
    topic = getattr(properties, "ResponseTopic", None)
    answer = None
    if topic is None or message.topic.startswith("paho/3/"):
        topic = message.topic.replace("requests", "responses")
    else:
        answer = Properties(PacketTypes.PUBLISH)
        answer.CorrelationData = properties.CorrelationData
        answer.UserProperty = ("status", "200")
    client.publish(topic, message.payload, qos=0, **({"properties": answer} if answer else {}))


version = mqtt.MQTTv5 if five else mqtt.MQTTv311
try:
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION1, protocol=version)
except AttributeError:
    client = mqtt.Client(protocol=version)
client.on_connect = on_connect
client.on_subscribe = lambda *_: print("listening", flush=True)
client.on_message = on_message
client.connect("127.0.0.1", port)
client.loop_forever()
